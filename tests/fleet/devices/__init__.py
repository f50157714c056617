"""A model over several devices: processes that are started together, run one question together, and end together."""
