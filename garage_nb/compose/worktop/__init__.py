"""The worktop: a sheet under the hand: parts dropped, taken out and brought back, and what would fit where."""
