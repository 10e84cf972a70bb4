"""A market's risk model: made once, gone on with as days come, made again where the past has changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import AnyArray
from deepfactor.core.checksums import checksum
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import folder_lock, remove_litter
from deepfactor.core.spec import content_key
from deepfactor.core.words import Sentence
from deepfactor.risk.estimation import Market, RiskDay, State, follow
from deepfactor.risk.files import Place, Written
from deepfactor.risk.model import RiskModel
from deepfactor.risk.settings import RiskSettings

#: Bumped when the same market gives other forecasts.
VERSION = 1
#: Days written at once: what a kill loses.
_BLOCK = 250
_DAMAGED = Sentence(
    "the risk model {folder} is damaged ({damage}): made again", "风险模型{folder}已损坏（{damage}），已重新生成"
)
_CHANGED = Sentence(
    "the market's past is not what the risk model {folder} was made of: made again",
    "市场历史数据与风险模型{folder}所依据的不同，已重新生成",
)


def model_key(settings: RiskSettings, styles: dict[str, object]) -> str:
    """The name of a model's folder; `styles` names their set with its settings."""
    return content_key({"risk": settings.model_dump(mode="json"), "styles": styles, "version": VERSION})


def open_model(
    folder: Path,
    market: Market,
    settings: RiskSettings,
    *,
    tell: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RiskModel:
    """The model of `market` in `folder`, made, or gone on with, first; the same bits whether in one go or day by day.

    Where new stocks have turned up since, rounding of the style set's sums may differ from a model that is made whole.
    Safe to kill: what was written stands. `tell` is told where it had to be made again.

    Raises
    ------
    UserError
        another process writes it.
    OutOfResources
        no space; what was there is whole.
    """
    with folder_lock(folder):
        remove_litter(folder)
        opened = _usable(folder, market, tell)
        if opened is None:
            opened = _Opened.start(folder, market)
        if opened.written.rows < len(market.panel.dates):
            opened.go_on(settings, progress)
        elif opened.written.content["market"] != market.panel.fingerprint:
            opened.written.same(market.panel.fingerprint)
        return opened.model()


@dataclass
class _Opened:
    """A model and the market that it is of; `chain` of the days that the model has."""

    written: Written
    market: Market
    place: Place
    chain: str = field(default="00000000")

    @classmethod
    def start(cls, folder: Path, market: Market) -> _Opened:
        place = Place.among(market.panel.symbols.tolist(), ())
        assert place is not None
        return cls(Written.start(folder, market.factors), market, place)

    def go_on(self, settings: RiskSettings, progress: Callable[[int, int], None]) -> None:
        market, written = self.market, self.written
        days, width = market.panel.shape
        state = written.state(self.place.columns, width) if written.rows else None
        state = state or State.none(len(market.factors), width, settings)
        made: list[RiskDay] = []
        for day, after in follow(market, state, settings):
            made.append(day)
            self.chain = link(market, after.rows - 1, self.place, self.chain)
            if after.rows == days or len(made) == _BLOCK:
                dates = market.panel.dates[after.rows - len(made) : after.rows]
                written.add(np.asarray(dates), made, after, market.panel.fingerprint, self.chain, self.place)
                made = []
            progress(after.rows, days)

    def model(self) -> RiskModel:
        written, market = self.written, self.market
        days = np.asarray(written.array("days"))
        return RiskModel(
            dates=written.array("dates"),
            symbols=market.panel.symbols,
            factors=market.factors,
            styles=tuple(market.styles),
            returns=written.array("returns"),
            covariance=written.array("covariance"),
            explained=days[:, 0],
            regimes=days[:, 1:],
            ends=written.array("ends"),
            stock=written.array("stock"),
            specific=written.array("specific"),
            column=self.place.columns,
        )


def _usable(folder: Path, market: Market, tell: Callable[[str], None]) -> _Opened | None:
    """The model in `folder` if it is whole and of this market's past; else None, its files are gone."""
    try:
        written = Written.read(folder)
    except DamagedFile as error:
        tell(_DAMAGED.format(folder=folder, damage=error))
        _clear(folder)
        return None
    if written is None:
        _clear(folder)
        return None
    place = Place.among(market.panel.symbols.tolist(), written.content["symbols"])
    if place is None or not _same_past(written, market, place):
        tell(_CHANGED.format(folder=folder))
        _clear(folder)
        return None
    return _Opened(written, market, place, written.content["chain"])


def _same_past(written: Written, market: Market, place: Place) -> bool:
    """Whether the market says of the model's days what it said when they were made."""
    rows = written.rows
    if tuple(written.content["factors"]) != market.factors or rows > len(market.panel.dates):
        return False
    if not np.array_equal(written.array("dates"), market.panel.dates[:rows]):
        return False
    made_of, panel = written.content["market"], market.panel
    if made_of == panel.fingerprint or panel.past.get(made_of, 0) >= rows:
        return True
    chain = "00000000"
    for row in range(rows):
        chain = link(market, row, place, chain)
    return chain == written.content["chain"] and place.symbols == written.content["symbols"]


def link(market: Market, row: int, place: Place, chain: str) -> str:
    """Checksum of the days up to `row`, from that of those before: who was there; return, value, industry of each."""
    cap = market.market_value(row)
    at = np.flatnonzero(market.universe.listed[row] & (cap > 0))
    returns = market.returns(row)[at] if row else np.zeros(len(at))
    parts: tuple[AnyArray, ...] = (place.of(at), returns, cap[at], market.universe.industry[row][at])
    for part in parts:
        chain = checksum(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data, chain)
    return chain


def _clear(folder: Path) -> None:
    """Take away what a model left, but for the lock."""
    for entry in folder.iterdir():
        if entry.name != ".lock":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
