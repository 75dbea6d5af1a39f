"""SIDs to live items: postings, item orders."""
