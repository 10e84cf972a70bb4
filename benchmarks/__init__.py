"""How fast deepfactor is, against peers and floors: `make bench`. What it finds stands in `research`."""
