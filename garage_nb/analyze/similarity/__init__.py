"""How alike layers, models and prompts are."""
