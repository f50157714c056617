"""Fitting: what a blade is made from: captured states, and a short training loop."""
