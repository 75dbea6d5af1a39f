"""Rankings to figures: measures, intervals, paired differences, the printed table."""
