"""Factor models: a torch module a file, from one day's cross-section to one score a stock."""
