"""The steps of `simul train causal-whisper`."""
