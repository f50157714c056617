"""What the model would say after each layer, plain or through fitted maps."""
