"""The layer-by-layer report, and what of it is out of the ordinary."""
