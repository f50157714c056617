"""Borrowed: what other libraries keep in files of their own, read as edits."""
