"""Beam search with a language model on a GPU: whole batches in fixed shapes, replayed as graphs."""
