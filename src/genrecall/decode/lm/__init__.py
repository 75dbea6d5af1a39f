"""The engine of the `lm` family on a CPU."""
