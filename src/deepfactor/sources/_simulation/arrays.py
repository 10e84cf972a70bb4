"""Names of the engine's array types."""

from __future__ import annotations
