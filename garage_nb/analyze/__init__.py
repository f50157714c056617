"""The diagnostic scanner: what every part is doing. A question is a file: its answer, and how it is had."""
