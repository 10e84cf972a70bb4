"""What a page says: a section a file, found by looking into the room. See `base`."""
