"""Supervised training of the `compact` family."""
