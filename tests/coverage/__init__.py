"""The coverage of architectures: tiny models of every class of transformers, opened and checked."""
