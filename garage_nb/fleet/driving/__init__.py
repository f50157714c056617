"""Work done exactly once: tasks through an Executor, their results on disk, whatever dies meanwhile."""
