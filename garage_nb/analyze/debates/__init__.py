"""Debates beside what they must beat: the untouched model, one noise as loud, and a vote of as many draws."""
