"""The `garage` command: one line is one session, with a model named on it."""
