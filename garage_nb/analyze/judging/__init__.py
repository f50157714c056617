"""Judging a model that was built: beside its donors, on texts, on a scored set, and by what it costs."""
