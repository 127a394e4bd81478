"""The page of several systems beside a baseline: differences, their significance, figures."""
