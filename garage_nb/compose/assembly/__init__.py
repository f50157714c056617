"""From a checked sheet to a model that is proved, and to files."""
