"""A catalog of a million items through the whole pipeline: seconds and peak memory by stage."""
