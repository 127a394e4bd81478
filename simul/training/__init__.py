"""Recipes that make the shipped models; nothing here is needed to run a stream."""
