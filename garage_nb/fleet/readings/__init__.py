"""What is read of a chunk, as sums that can be added up: statistics, firing, sweeps, probes."""
