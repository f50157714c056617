"""Debates beside what they must beat: the untouched model, one noise of the same variance, and a vote of equal cost."""
