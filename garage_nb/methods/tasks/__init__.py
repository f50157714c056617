"""Claims as tasks of a fleet: a seed of a claim is one, whoever runs it, and its marks are kept."""
