"""What heads look at, and what kind of head that makes them."""
