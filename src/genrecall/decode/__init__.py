"""Constrained decoding: the array trie and the reference beam search."""
