"""Open the hood on a transformer, inside a notebook."""
