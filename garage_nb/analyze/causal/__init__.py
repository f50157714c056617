"""Causal tests: what changes the answer when it is changed itself."""
