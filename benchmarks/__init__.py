"""Measurements of deepfactor: speed by ``python -m benchmarks``, learning by ``python -m benchmarks.learning``."""
