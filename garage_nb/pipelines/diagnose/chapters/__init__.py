"""The sections of a report, one file each: what is asked of the model, and from where on the answer is remarkable."""
