"""Debating: perspectives that run on side by side for some blocks before they are reconciled."""
