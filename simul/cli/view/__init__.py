"""What commands show: the terminal, tables, progress and output files."""
