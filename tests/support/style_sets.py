"""Exposures of style sets, computed once a market: a third of what the smallest run takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from deepfactor.core.spec import content_key
from deepfactor.pipeline.markets import Market
from deepfactor.styles.base import Styles, StyleSet

Exposures = Callable[[StyleSet, Market], Styles]


def remembering(honest: Exposures) -> Exposures:
    """`honest`, asked once for each set of each market's tables."""
    known: dict[tuple[str, str], Styles] = {}

    def exposures(styles: StyleSet, market: Market) -> Styles:
        key = market.folder.fingerprint, content_key(styles.whole())
        if key not in known:
            found = honest(styles, market)
            known[key] = replace(found, exposures=dict(found.exposures))  # all days, not when they are asked for
        return known[key]

    return exposures
