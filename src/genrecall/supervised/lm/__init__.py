"""Supervised training of the `lm` family."""
