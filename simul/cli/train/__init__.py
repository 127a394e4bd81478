"""The command `simul train`."""
