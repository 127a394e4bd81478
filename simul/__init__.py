"""Streaming sessions: audio in, timed text and speech out; backends, session loop and command line."""
