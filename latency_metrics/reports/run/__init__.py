"""The page of one scored run: scores with intervals, figures, the segments that lag most."""
