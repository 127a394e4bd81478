"""Evidence of a stream, recorded and replayed to other policies."""
