"""Protocols of other servers, and the native one: each translates its frames to and from messages of `simul.v1`."""
