"""A constraint is a file: ``Settings``, its ``FAMILY``, and ``limits(settings, r, invested)``; see `base`."""
