"""Adapters that PEFT saved: what is in them, and a model with one merged into its weights."""
