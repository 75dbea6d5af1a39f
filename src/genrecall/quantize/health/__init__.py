"""How healthy SIDs are: figures, warnings, examples."""
