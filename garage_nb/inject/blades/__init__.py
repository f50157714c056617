"""Blades: saved changes of hidden states: activation additions, model stitches, residual adapters."""
