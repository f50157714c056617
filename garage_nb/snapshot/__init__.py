"""The high-speed camera: one pass, every part asked for, in numbers."""
