"""The parts catalogue: what a model is made of, where each part lives, and which parts fit another model."""
