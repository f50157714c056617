"""The doctor: what of this machine, its packages and its notebook works, and what to do about the rest."""
