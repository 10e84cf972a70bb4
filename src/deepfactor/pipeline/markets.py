"""Markets: made from a source or simulated, opened, and described for results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from deepfactor.core.errors import DataError, KindError
from deepfactor.core.spec import content_key
from deepfactor.core.trust import Trust
from deepfactor.core.words import Sentence
from deepfactor.panel.build import compile_panel, describe_panel, open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.sources.base import ROOM as SOURCES
from deepfactor.sources.base import choose_source, fetch_all, fetch_news
from deepfactor.store.checks import FindingRecord
from deepfactor.store.folder import MarketFolder
from deepfactor.store.folder import ingest as store_tables
from deepfactor.store.holdout import read_holdout
from deepfactor.store.update import update
from deepfactor.store.writing import MANIFEST
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.styles.base import Styles, StyleSet

if TYPE_CHECKING:
    from deepfactor.runs.environment import HoldoutRecord, MarketRecord
    from deepfactor.sources import simulated

#: Examples of a finding that stand in a warning.
_SHOWN = 3
_ROWS = Sentence("{table}: {message} ({n} rows{examples})", "{table}：{message}（{n}行{examples}）")
_DAYS = Sentence("{table}: {message} ({n} days{examples})", "{table}：{message}（{n}天{examples}）")
_NAMES = Sentence("{table}: {message} ({n} names{examples})", "{table}：{message}（缺{n}只{examples}）")
_ABSENT = Sentence("style {style} of {kind} is absent: {why}", "{kind}的风格因子{style}缺失：{why}")
_LOCKED = Sentence(
    "locked holdout: the {n} days from {start} on are left out (--open-holdout opens them, on record)",
    "锁定的留存期：{start}起的{n}个交易日未使用（--open-holdout 可打开，并永久记录）",
)
_OPENED = Sentence(
    "the locked holdout, {start} on, was opened for this: opening {n} of this market; what is chosen by these days can "
    "no longer be judged by them",
    "锁定的留存期（{start}起）为此结果打开：该市场第{n}次打开；凡据此选择的结果，这段数据不能再用来检验",
)
_SYMBOLS = Sentence("{table}: {message} ({n} symbols{examples})", "{table}：{message}（{n}个代码{examples}）")
#: How findings are said that don't count rows.
_COUNTED = {
    **dict.fromkeys(("short_days", "late_start", "unit_jump"), _DAYS),
    "short_last_day": _NAMES,
    "unit_of_symbols": _SYMBOLS,
}


@dataclass(frozen=True)
class Market:
    """An opened market: arrays, and its folder with the manifest; `holdout` as results say it, None = none is locked.

    A locked holdout is no part of the arrays unless it was opened.
    """

    folder: MarketFolder
    panel: Panel
    universe: Universe
    holdout: HoldoutRecord | None = None

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the content of the tables, less a holdout that is locked."""
        tables = self.folder.fingerprint
        if self.panel.locked is None:
            return tables
        return content_key({"tables": tables, "holdout": self.panel.locked.isoformat()})

    def account(self) -> MarketRecord:
        """What results say of their data."""
        source = self.folder.manifest.source
        record: MarketRecord = {
            "source": source["name"],
            "simulated": source["simulated"],
            "fingerprint": self.fingerprint,
            "span": [str(self.panel.dates[0]), str(self.panel.dates[-1])],
            "stocks": len(self.panel.symbols),
            "days": len(self.panel.dates),
            "cap": source.get("cap"),
            "settings": source.get("settings", {}),
            "derived": list(source.get("derived", [])),
            "derived_index_weights": sorted(self.universe.derived),
            "index_weights": {index: made.used().kind for index, made in self.universe.weighting.items()},
            "dropped": dict(source.get("dropped", {})),
            "notes": list(source.get("notes", [])),
            "findings": [{**w, "said": _warning(w)} for w in self.folder.manifest.warnings],
        }
        if self.holdout is not None:
            record["holdout"] = self.holdout
        return record

    def warnings(self) -> list[str]:
        """A locked or opened holdout; findings of the data audit that did not stop the ingest, with the first of their
        examples."""
        held = [] if self.holdout is None else [_holdout_said(self.holdout)]
        return [*held, *(_warning(one) for one in self.folder.manifest.warnings)]


def _holdout_said(holdout: HoldoutRecord) -> str:
    opened = holdout["opened"]
    if opened is None:
        return _LOCKED.format(n=holdout["locked_days"], start=holdout["start"])
    return _OPENED.format(n=opened, start=holdout["start"])


def _warning(finding: FindingRecord) -> str:
    shown = finding["examples"][:_SHOWN]
    more = "; …" if len(finding["examples"]) > len(shown) else ""
    examples = f": {'; '.join(shown)}{more}" if shown else ""
    form = _COUNTED.get(finding["code"], _ROWS)
    return form.format(table=finding["table"], message=finding["message"], n=finding["count"], examples=examples)


def open_market(
    path: Path, console: Console | None = None, *, live: bool = False, opening: str | None = None
) -> Market:
    """Open a market folder; the panel is compiled the first time, and again where it is damaged.

    A locked holdout is left out, and said, unless `live` (for the desk) or `opening` (for what it is opened, logged for
    ever): see `deepfactor.panel.build.open_panel`.

    Raises
    ------
    DataError
        there is no market, or it is broken.
    """
    folder, console = MarketFolder.open(path), console or Silent()
    with step(console, f"opened market {path}"):
        panel, universe = open_panel(path, console.say, live=live, opening=opening)
    market = Market(folder, panel, universe, None if live else _holdout_of(folder, panel, opening))
    if market.holdout is not None:
        console.say(_holdout_said(market.holdout))
    return market


def _holdout_of(folder: MarketFolder, panel: Panel, opening: str | None) -> HoldoutRecord | None:
    held = read_holdout(folder.path)
    if held is None:
        return None
    opened = held.openings if opening is not None else None
    days = describe_panel(folder.path)["shape"][0] - len(panel.dates) if opened is None else 0
    return {"start": held.start.isoformat(), "locked_days": days, "opened": opened}


def ingest(
    source: str,
    market: Path,
    folder: Path | None,
    console: Console | None = None,
    *,
    accept_revisions: bool = False,
    allow_code: bool = False,
) -> Market:
    """Bring a source's tables into a market folder and compile its panel. Safe to repeat, and to kill.

    A market of the same source goes on: it is asked for the days since, and for the last 60 days held again. What is
    returned has the days of a locked holdout, too: it is for the desk, and for the account of what came.

    Parameters
    ----------
    source : the path of a TOML with a source's kind and settings, or the name of a shipped one; see `choose_source`.
    folder : where the source's files lie.
    accept_revisions : take what the source now says otherwise of days held, and log it in the manifest.
    allow_code : take a kind from outside deepfactor, and let a mapping read anywhere by any query.

    Raises
    ------
    DataError
        wrong files; history of days held that changed and is not accepted. The market stays as it was.
    """
    console = console or Silent()
    trust = Trust(allow_code)
    chosen = SOURCES.choose(choose_source(source), key=source, trust=trust)
    try:
        signature(chosen.part.open_source).bind(chosen.settings, folder, trust)
    except TypeError as error:
        raise KindError(f"{chosen.path}: open_source takes (settings, folder, trust): {error}", key=source) from None
    opened = chosen.part.open_source(chosen.settings, folder, trust)
    with step(console, f"tables of {source} are in {market}"):
        update(
            market,
            lambda held: fetch_news(opened, held),
            opened.describe,
            accept_revisions=accept_revisions,
            progress=console.say,
            prove=partial(compile_panel, tell=console.say),
        )
    return open_market(market, console, live=True)


def simulate(market: Path, settings: simulated.Settings, console: Console | None = None) -> Market:
    """Write a simulated market and, beside it, its oracle; another simulated market there is replaced.

    Raises
    ------
    DataError
        the folder holds something else.
    """
    from deepfactor.runs.results import oracle_path, write_oracle  # not needed by those who append a day
    from deepfactor.sources import simulated

    console = console or Silent()
    _require_simulated(market)
    source = simulated.open_source(settings)
    with step(console, f"simulated {settings.stocks} stocks, {settings.start} to {settings.end}"):
        folder = store_tables(market, fetch_all(source), source.describe)
        write_oracle(oracle_path(market), source.oracle(), folder.fingerprint)
    return open_market(market, console, live=True)


def _require_simulated(market: Path) -> None:
    """Refuse a folder that holds a market of a vendor's, which a simulated one would replace."""
    if (market / MANIFEST).is_file() and not (source := MarketFolder.open(market).manifest.source).get("simulated"):
        raise DataError(f"{market} holds a market of {source['name']}, which this would replace: give another folder")


def style_exposures(styles: StyleSet, market: Market) -> Styles:
    """A style set on a market."""
    return styles.part.compute(styles.settings, market.panel, market.universe)


class StyleSets:
    """Style sets of a market, each computed the first time that it is asked for: a minute on the real one.

    `made`: those that are there, by `key`.
    """

    def __init__(self, market: Market, made: Mapping[str, Styles] | None = None) -> None:
        self._market = market
        self._begun: dict[str, Styles] = {}
        self._made: dict[str, Styles] = dict(made or {})

    @staticmethod
    def key(styles: StyleSet) -> str:
        """Names a kind with its settings."""
        return content_key(styles.whole())

    def of(self, styles: StyleSet) -> Styles:
        """The set of a kind with its settings."""
        key = self.key(styles)
        if key not in self._made:
            made = self._begun.pop(key, None) or style_exposures(styles, self._market)
            self._made[key] = replace(made, exposures=dict(made.exposures))  # all days, once for all who ask
        return self._made[key]

    def of_few_days(self, styles: StyleSet) -> Styles:
        """The same for who reads a few days, by `Styles.by_day`: an evening needs two of thousands."""
        key = self.key(styles)
        if key in self._made:
            return self._made[key]
        if key not in self._begun:
            self._begun[key] = style_exposures(styles, self._market)
        return self._begun[key]

    def others(self, own: StyleSet) -> Iterator[tuple[str, Styles]]:
        """The shipped sets but `own`'s, by name."""
        for name in STYLES.kinds():
            if name != own.kind:
                yield name, self.of(STYLES.choose(name))


def absent_styles(styles: StyleSet, made: Styles) -> list[str]:
    """A warning for each style of a set that the market can't give."""
    return [_ABSENT.format(style=name, kind=styles.kind, why=why) for name, why in made.absent.items()]
