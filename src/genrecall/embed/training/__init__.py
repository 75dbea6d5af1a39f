"""What stage `embed` learns: the in-domain view, maps of the frozen ones, and their weights."""
