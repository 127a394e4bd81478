"""Tests of simul/adapters/remote."""
