"""What is fitted for reading words; only the stage imports it."""
