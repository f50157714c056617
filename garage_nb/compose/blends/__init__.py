"""Blends: one tensor out of several of one shape."""
