"""The steps of an alignment path, as the kernel counts them."""

MATCH, DELETE, INSERT, BOUNDARY = range(4)
"""Both tokens, reference token only, hypothesis token only, end of a reference segment."""

OPS = "MDI"
"""Letters of the first three steps."""
