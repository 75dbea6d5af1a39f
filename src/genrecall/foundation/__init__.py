"""What every room stands on: errors, SIDs, artifacts, settings. It knows no stage."""
