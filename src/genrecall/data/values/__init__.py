"""What a single cell means: how a table is written, and its texts, numbers, times and paths."""
