"""Specialise: a model is made better at a domain by the best blade there is, and what that is worth is said."""
