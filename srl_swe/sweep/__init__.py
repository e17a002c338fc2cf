"""Many training runs from one file: every row and grid point with every seed, and one table with intervals."""
