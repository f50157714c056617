"""Many variants of one model, each put together in milliseconds and kept by nobody."""
