"""The wrenches: take a part out and run it on its own."""
