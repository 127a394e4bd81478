"""Names and rare words that a stream is about: read from a list, and put where a recogniser heard something near."""
