"""Losses, a file a kind: `Settings(Spec)`, `target(settings)` ("rank" or "zscore": what labels are made into) and
`loss(settings, prediction, target)`.
"""
