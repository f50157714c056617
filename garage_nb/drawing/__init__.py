"""The machine drawn: rows of parts on the residual stream, what is marked on them, and the colours of a number each."""
