"""Edits written into weights, where that gives the same."""
