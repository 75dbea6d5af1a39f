"""Recall channels behind one protocol: generative, lexical (BM25), dense; and their fusion."""
