"""Linear maps that join parts of models with other hidden states."""
