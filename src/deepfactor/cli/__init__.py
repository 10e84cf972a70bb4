"""The command line: verbs only, and the only place that prints."""

from deepfactor.cli.entry import main

__all__ = ["main"]
