"""Past one machine: one question over a corpus through any Executor, and models over more than one device."""
