"""Prompts to SID probabilities: the generator protocol, its families and supervised stages."""
