"""Weights as they are stored, without a run."""
