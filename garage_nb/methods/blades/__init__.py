"""Blades that are measured: made of items, placed by validation, and held against placebos and plain rivals."""
