"""Stages behind training: a file each, see `base`."""
