"""From the lists of several channels to one answer: fusion and its weights."""
