"""Read/write policies: when a simultaneous translator may commit what it has decoded."""
