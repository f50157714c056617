"""Which experts routers choose, for what, and whether the experts they choose are the better ones."""
