"""Shipped recipes, one TOML an experiment."""
