"""Engines: where tasks are done. `base` is what all of them do, then a file an engine."""
