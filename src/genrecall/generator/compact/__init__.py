"""The `compact` family: a subword encoder with an autoregressive head."""
