"""Rows out of files, with a reject for every one that cannot be read."""
