"""Other programs doing the same work, each in an environment of its own; see each file's head for how to make it."""
