"""What share of activations can be zeroed, against loss."""
