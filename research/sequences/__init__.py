"""Training on sequences: how its settings were chosen on validation years, and how it compares with windows."""
