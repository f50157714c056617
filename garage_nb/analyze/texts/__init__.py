"""The texts an answer is about: one prompt, several one by one, by domain, or kept apart."""
