"""SIDs to live items: postings, filters, item orders."""
