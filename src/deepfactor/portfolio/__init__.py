"""Index enhancement as a linear program: the optimiser, its constraints, what gives way, the presets."""
