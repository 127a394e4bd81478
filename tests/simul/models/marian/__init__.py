"""Tests of Firefox students."""
