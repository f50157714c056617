"""Diagnose: a full report of a model as one page of html, with what is most remarkable on top."""
