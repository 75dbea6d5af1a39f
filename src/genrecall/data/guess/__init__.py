"""What `genrecall init` guesses of a table: its columns, and how it is written."""
