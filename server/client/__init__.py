"""Programs that talk to a server: clients that replay recordings to load it."""
