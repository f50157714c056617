"""Whole workflows, from a model and texts to a result with its evidence."""
