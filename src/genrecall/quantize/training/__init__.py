"""Training of the quantizer, and the sizes of its clusters."""
