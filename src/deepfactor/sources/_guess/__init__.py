"""A first mapping out of a folder of files: what was recognised, by which evidence, and what only its owner can say."""

from __future__ import annotations

from deepfactor.sources._guess.guessing import Guess, guessed

__all__ = ["Guess", "guessed"]
