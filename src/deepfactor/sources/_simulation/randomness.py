"""One independent random stream for each purpose (and block of time), so that nothing added later shifts the rest."""

from __future__ import annotations

import numpy as np

#: The number of a purpose is part of its stream: append, never renumber.
PURPOSES = ("firms", "market", "events", "corporate_actions", "state", "days", "latent", "statements")


def stream(seed: int, purpose: str, block: int = 0) -> np.random.Generator:
    """The generator of a purpose; `block` is a year or a numbered stretch of days, drawn whole or not at all."""
    return np.random.default_rng(np.random.SeedSequence([seed, PURPOSES.index(purpose), block]))
