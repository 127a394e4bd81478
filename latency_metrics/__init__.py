"""Latency and quality metrics of simultaneous translation, with the log formats of the field."""
