"""Edits of what a router decides: which experts may be chosen, one expert for all tokens, other ways to choose."""
