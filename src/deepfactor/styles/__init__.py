"""Style exposures, a file a set. Descriptors that sets share live in `_descriptors.py`."""
