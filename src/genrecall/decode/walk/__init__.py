"""Beam search of compact generators without torch: down the tree, nothing computed twice."""
