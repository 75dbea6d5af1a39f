"""The `lm` family: a causal language model of the transformers library that writes SIDs."""
