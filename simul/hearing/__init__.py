"""What is kept of a stream's audio, and where its speech begins and ends: buffers, voice activity, endpoints."""
