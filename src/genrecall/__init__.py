"""GenRecall: a generative recall channel for product search."""
