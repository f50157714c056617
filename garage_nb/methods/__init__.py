"""The bench on which a claim is tried: what is said, how it is tried, and what would settle it, fixed beforehand."""
