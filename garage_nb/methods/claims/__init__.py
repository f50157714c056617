"""The claims: one file each, with what was said, how it is tried, and the rule that settles it, before any run."""
