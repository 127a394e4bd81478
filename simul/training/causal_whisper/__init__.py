"""The recipe of Whisper encoders for short windows and causal blocks, distilled from audio alone."""
