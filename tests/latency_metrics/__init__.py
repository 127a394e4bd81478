"""Tests of the scorer: reference vectors, real logs, properties, formats."""
