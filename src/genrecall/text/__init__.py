"""Texts to words, subwords and fragments."""
