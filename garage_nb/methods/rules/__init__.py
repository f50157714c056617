"""When a claim holds, one kind of claim a file. To add one: a frozen Rule that says its arms, its bars and itself."""
