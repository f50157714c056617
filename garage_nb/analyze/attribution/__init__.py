"""What each part adds to a logit directly."""
