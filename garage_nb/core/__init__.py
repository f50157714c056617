"""The central air compressor: addresses, hooks, one pass, statistics, tensors, loading."""
