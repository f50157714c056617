"""A question to a corpus, from what is asked to what is answered, and what there is of the answer meanwhile."""
