"""Reports of scores: confidence intervals, significance, per-segment records, tables and offline pages."""
