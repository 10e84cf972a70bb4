"""deepfactor in Python: what the commands do, on what a notebook holds. ``import deepfactor`` has all of it."""
