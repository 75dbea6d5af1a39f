"""Supervised training of the generator: item→SID, query→SID, user+query→SID."""
