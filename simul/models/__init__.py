"""Models without streams: they encode, generate, align and translate batches."""
