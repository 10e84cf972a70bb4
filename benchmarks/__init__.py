"""Measurements of deepfactor: speed (``python -m benchmarks``) and learning on known truth (``python -m benchmarks.learning``)."""
