"""Many policies and settings over the same recordings."""
