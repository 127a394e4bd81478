"""Recipe that gives a Firefox student new target languages: prepare, train, export, score."""
