"""How large an effect is, how far that could be off, and what so many items could have shown."""
