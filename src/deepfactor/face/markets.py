"""Markets: opened, ingested, simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepfactor.pipeline import markets
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.terminal import terminal


def open_market(path: str | Path, *, open_holdout: str | None = None) -> Market:
    """Open a market folder that `ingest` or `simulate` has made.

    `open_holdout` says for what a locked holdout is opened, which the market logs for ever; without it its days are
    left out.

    Raises
    ------
    DataError
        there is none, or it is broken.
    """
    return markets.open_market(Path(path), terminal(), opening=open_holdout)


def ingest(
    source: str | Path, market: str | Path, folder: str | Path | None = None, *, accept_revisions: bool = False
) -> Market:
    """Bring a source's tables into a market folder, as `deepfactor ingest`.

    `source` : a shipped mapping's name or a TOML; `folder` : where its files lie.

    Raises
    ------
    DataError
        wrong files; history that changed and is not accepted. The market stays as it was.
    """
    place = None if folder is None else Path(folder)
    return markets.ingest(str(source), Path(market), place, terminal(), accept_revisions=accept_revisions)


def simulate(market: str | Path, **settings: Any) -> Market:
    """Write a simulated market, as `deepfactor simulate`; `settings` are those of `deepfactor.sources.simulated`.

    Examples
    --------
    >>> market = simulate(folder / "market", stocks=60, start="2019-01-02", end="2019-12-31")
    >>> len(market.panel.symbols) >= 60
    True
    """
    from deepfactor.sources.simulated import Settings

    return markets.simulate(Path(market), Settings.model_validate(settings), terminal())
