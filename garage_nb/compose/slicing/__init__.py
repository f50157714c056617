"""Plain models with fewer neurons: what is not there takes no time."""
