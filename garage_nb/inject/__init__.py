"""The pneumatic tools: change what passes between parts while a pass runs, then put it back."""
