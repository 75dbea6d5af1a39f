"""The stages in order, from a config to a bundle, its figures and its report."""
