"""Shops in other languages than English."""
