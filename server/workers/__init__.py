"""Processes that compute: the models of a server, one engine in each, and the way to them."""
