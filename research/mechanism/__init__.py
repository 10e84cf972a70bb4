"""Is what a study's networks are made for what they find? On simulated markets with that one effect alone."""
