"""The command `simul score`."""
