"""Tables and pictures. No maths here: what is shown was computed elsewhere."""
