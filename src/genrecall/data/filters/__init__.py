"""Which items a shopper wants to see: filters, how they are written, and what they keep."""
