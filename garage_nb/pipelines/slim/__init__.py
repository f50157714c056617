"""Slim: a model with less in it, at a stated price in loss, measured on texts that nothing was chosen by."""
