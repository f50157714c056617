"""Which neurons fire, how often, and for what."""
