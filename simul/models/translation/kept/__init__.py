"""What a translation must keep of its source (numbers, times, dates, names, negations) and must not add."""
