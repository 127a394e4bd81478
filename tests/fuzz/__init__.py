"""Random input for everything that is read from outside: `make fuzz`, and what was found once as tests."""
