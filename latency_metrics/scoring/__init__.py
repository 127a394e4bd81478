"""From what a system said to its scores: recordings are cut into segments, instances are scored."""
