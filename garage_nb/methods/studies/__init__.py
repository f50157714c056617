"""Studies: what runs the arms of a claim on models and items, and the placebos and rivals that arms are made of."""
