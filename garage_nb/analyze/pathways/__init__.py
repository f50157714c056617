"""Which neurons an answer needs, which harm it, and what it costs to keep fewer."""
