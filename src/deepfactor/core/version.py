"""The version, below all rooms: the package's root knows them all."""

__version__ = "0.2.0"
