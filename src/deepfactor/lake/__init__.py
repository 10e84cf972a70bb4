"""A vendor's answers as received: asked for over the network here and nowhere else, kept, and read again."""
