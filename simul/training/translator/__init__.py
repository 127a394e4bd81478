"""The recipe of the small text translator."""
