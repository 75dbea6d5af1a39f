"""Tables of a shop: read, validate, split; and a synthetic shop to try everything on."""
