"""What a query is taken to say, before any channel reads it: spelling, compounds, synonyms."""
