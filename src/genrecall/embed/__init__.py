"""Texts to vectors: normalization, BPE, the in-domain two-tower encoder, a cache."""
