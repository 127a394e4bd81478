"""What a translation must keep of its source (numbers, times, names, negations) and must not add."""
