"""Losses, a file a kind: `Settings(Spec)`, `TARGET` ("rank" or "zscore") and `loss(settings, prediction, target)`."""
