"""Speech output: engines, the prosodic chunker and the playout scheduler."""
