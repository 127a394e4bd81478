"""Alignment of long-form output with reference segments, and the units both are counted in."""
