"""Every limit of every target of a portfolio, recomputed from the market's tables. No code of deepfactor, on purpose.

``python -m tests.oracles.recompute MARKET RUN`` checks all portfolios of a run, whose style sets must be `study_a` or
`barra_cne5`; in place of RUN single folders ``portfolio/<factor>/<index>/<constraints>`` can be given. Style limits,
which take most of the time, are recomputed at every rebalance, with ``--styles-every 10`` at one in ten. What was
found is printed as JSON, and written to a file by ``--out``; the command ends with 1 where there is a violation.

Reads the tables as docs/conventions.md defines them: industries in force, styles from prices, volume and fundamentals
(`tests.oracles.recompute_styles`); missing exposures by the cross-sectional regression on industry and SIZE. What the
book was before a rebalance (`drifted_weight`) is taken from the run, and so are index weights (`benchmark_weight`),
after they were found to be float value times factors that an index may have.

A limit that is not kept to `TOLERANCE` must stand in ``relaxations.parquet`` with the value that came out; else it is a
violation. Names without a trade on the day must keep their weight, and ST names must not be bought.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tests.oracles.recompute_styles import Styles, completed

TOLERANCE = 1e-7
#: Members of an index that may have an inclusion factor of their own: the largest at the month's first close.
ESTIMATED = 120
#: By how much a recorded value may differ from ours: our styles differ from the panel's by float32 rounding.
SAME = 1e-6

Array = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Tables:
    """Daily arrays (days, symbols) of a market folder; facts of single days on demand."""

    def __init__(self, market: Path) -> None:
        self.market = market
        daily = self._read("daily")
        self.dates = daily["date"].unique().sort().to_numpy().astype("datetime64[D]")
        self.symbols = daily["symbol"].unique().sort().to_numpy().astype(str)
        self.shape = (len(self.dates), len(self.symbols))
        row = np.searchsorted(self.dates, daily["date"].to_numpy().astype("datetime64[D]"))
        column = np.searchsorted(self.symbols, daily["symbol"].to_numpy().astype(str))

        def spread(name: str, dtype: type) -> Array:
            out = np.full(self.shape, np.nan, dtype=dtype)
            out[row, column] = daily[name].cast(pl.Float64).to_numpy()
            return out

        volume = spread("volume", np.float64)
        close = spread("close", np.float64)
        self.traded = (volume > 0) & np.isfinite(close)
        cap = spread("float_mv", np.float64)
        self.turnover = np.where(self.traded, volume * close / cap, np.nan).astype(np.float32)
        self.close = np.where(self.traded, close, np.nan).astype(np.float32)
        self.factor = _filled(spread("adj_factor", np.float64))
        self.cap, self.total = cap.astype(np.float32), spread("total_mv", np.float32)
        for values in (self.cap, self.total):
            _fill_untraded(values, self.traded)
        self.st = _filled(spread("is_st", np.float32)) > 0
        self.listed = self._listed(row, column)
        self.log_price = _filled(np.log(self.close.astype(np.float64) * self.factor))
        self.members_table, self.industry_table = self._read("index_members"), self._read("industry")
        self._industries: dict[int, np.ndarray[Any, np.dtype[np.str_]]] = {}
        tables = json.loads((self.market / "manifest.json").read_text())["tables"]
        self.fundamentals = self._read("fundamentals") if "fundamentals" in tables else None
        self._styles: dict[tuple[str, int], dict[str, Array]] = {}
        self._style_sets = Styles(self)

    def _read(self, table: str) -> pl.DataFrame:
        parts = json.loads((self.market / "manifest.json").read_text())["tables"][table]
        return pl.concat(
            [pl.read_parquet(self.market / "tables" / table / f"{part['name']}.parquet") for part in parts]
        )

    def _listed(self, row: Ints, column: Ints) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Listed from the list date or the first row, whichever is earlier, to the day before the delist date."""
        first = np.full(self.shape[1], len(self.dates))
        np.minimum.at(first, column, row)
        end = np.full(self.shape[1], len(self.dates))
        for entry in self._read("securities").iter_rows(named=True):
            n = int(np.searchsorted(self.symbols, entry["symbol"]))
            if n == len(self.symbols) or self.symbols[n] != entry["symbol"]:
                continue
            if entry["list_date"] is not None:
                first[n] = min(first[n], np.searchsorted(self.dates, np.datetime64(entry["list_date"])))
            if entry.get("delist_date") is not None:
                end[n] = np.searchsorted(self.dates, np.datetime64(entry["delist_date"]))
        days = np.arange(len(self.dates))[:, None]
        return (days >= first) & (days < end)

    def members(self, index: str, t: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Members of an index on day t: intervals with both ends."""
        day = self.dates[t].item()
        inside = self.members_table.filter(
            (pl.col("index") == index)
            & (pl.col("start_date") <= day)
            & (pl.col("end_date").is_null() | (pl.col("end_date") >= day))
        )
        return np.isin(self.symbols, inside["symbol"].to_numpy().astype(str)) & self.listed[t]

    def strayed(self, index: str, t: int, told: Array, *, plain_alone: bool) -> float:
        """How far index weights (N,) are from what they may be, as a weight: they add up to 1 over the members, each is
        its float value times an inclusion factor in [0, 1], and that factor is one half of all but the `ESTIMATED`.

        Which factors the others have is estimated from returns, which isn't done again here. `plain_alone`: nobody has
        one, the weights are float value over its sum.
        """
        cap = np.where(self.members(index, t), np.nan_to_num(self.cap[t].astype(np.float64)), 0.0)
        inside = cap > 0
        level = told[inside] / cap[inside]
        usual = float(np.median(level))
        own = np.abs(level / usual - 1.0) > SAME
        plain = cap / cap.sum()
        if plain_alone:
            single = plain.astype(np.float32).astype(np.float64)
            return float(np.abs(told - single / single.sum()).max())
        return max(
            float(np.abs(told[~inside]).sum()),
            abs(float(told.sum()) - 1.0) - SAME,
            float((told - 2.0 * usual * cap).max()),
            float(-told.min()),
            float(plain[inside][own].min()) if own.sum() > ESTIMATED else 0.0,
        )

    def industry(self, t: int) -> np.ndarray[Any, np.dtype[np.str_]]:
        """The industry in force by symbol; "unknown" where there is none."""
        if t not in self._industries:
            self._industries[t] = self._industry(t)
        return self._industries[t]

    def _industry(self, t: int) -> np.ndarray[Any, np.dtype[np.str_]]:
        day = self.dates[t].item()
        known = self.industry_table.filter(pl.col("start_date") <= day).sort("start_date")
        last = dict(zip(known["symbol"].to_list(), known["industry"].to_list(), strict=True))
        return np.array([last.get(symbol, "unknown") for symbol in self.symbols.tolist()])

    def styles(self, name: str, t: int) -> dict[str, Array]:
        """Exposures of all symbols on day t by a style set, gaps filled."""
        if (name, t) not in self._styles:
            self._styles[name, t] = completed(self._style_sets.of(name, t), self.industry(t))
        return self._styles[name, t]

    def at_a_limit(self, t: int, at: Ints) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of the columns `at` closed day t 5, 10 or 20 % from its reference, to the fen: may be locked.

        Or, where the vendor marks it ST, further than 5 %: the mark is doubtful (the data audit counts such closes),
        but by the mark it is locked.
        """
        before = _filled(self.close[:t, at].astype(np.float64))[-1]  # some are suspended for years
        reference = np.floor(before * self.factor[t - 1, at] / self.factor[t, at] * 100 + 0.5001)
        reference = np.nan_to_num(reference).astype(np.int64)
        fen = np.round(np.nan_to_num(self.close[t, at].astype(np.float64)) * 100).astype(np.int64)
        out = np.zeros(len(fen), dtype=bool)
        bound = {percent: (reference * (100 + percent) + 50) // 100 for percent in (-20, -10, -5, 5, 10, 20)}
        for percent in bound:
            out |= fen == bound[percent]
        return np.asarray(out | (self.st[t, at] & ((fen < bound[-5]) | (fen > bound[5]))))


def _filled(x: Array) -> Array:
    """Each NaN of a column takes the value above it."""
    row = np.where(np.isfinite(x), np.arange(len(x), dtype=np.int32)[:, None], 0)
    np.maximum.accumulate(row, axis=0, out=row)
    return np.take_along_axis(x, row, axis=0)


def _fill_untraded(x: Array, traded: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    for t in range(1, len(x)):
        gap = np.isnan(x[t]) & ~traded[t]
        x[t, gap] = x[t - 1, gap]


@dataclass
class Found:
    """What a portfolio's check has seen."""

    checked: int = 0
    recorded: int = 0
    violations: int = 0
    worst: float = 0.0
    examples: list[str] = field(default_factory=list)

    def limit(
        self, relaxed: dict[tuple[str, str], float], constraint: str, row: str, value: float, excess: float
    ) -> None:
        """Judge one limit: `value` came out, `excess` beyond it (≤ 0 = kept)."""
        self.checked += 1
        recorded = relaxed.get((constraint, row))
        if excess <= TOLERANCE:
            self.worst = max(self.worst, excess)
        elif recorded is not None and abs(recorded - value) <= SAME:
            self.recorded += 1
        else:
            self.violations += 1
            self.examples.append(
                f"{constraint} {row}: {value:.9f}, beyond its limit by {excess:.2e}, recorded {recorded}"
            )


@dataclass(frozen=True)
class Week:
    """One target, arrays over all symbols."""

    t: int
    weight: Array
    drifted: Array
    before: Array | None
    first: bool
    styles: str | None


def check(tables: Tables, place: Path, styles_every: int = 1) -> dict[str, Any]:
    """Check all targets of one portfolio, style limits every so many rebalances: counts, the worst excess that stands,
    and examples of violations."""
    index = place.parent.name
    asked = json.loads((place / "constraints.json").read_text())
    asked["replica_weights"] = json.loads((place / "summary.json").read_text())["replica_weights"]
    weights = pl.read_parquet(place / "weights.parquet")
    relaxations = pl.read_parquet(place / "relaxations.parquet")
    rebalances = pl.read_parquet(place / "rebalances.parquet")
    found, before = Found(), None
    for k, (date, first) in enumerate(rebalances.select("date", "first").rows()):
        t = int(np.searchsorted(tables.dates, np.datetime64(date)))
        of_day = weights.filter(pl.col("date") == date)
        at = np.searchsorted(tables.symbols, of_day["symbol"].to_numpy().astype(str))
        columns = {}
        for name in ("weight", "drifted_weight", "benchmark_weight"):
            columns[name] = np.zeros(len(tables.symbols))
            columns[name][at] = of_day[name].fill_null(0.0).to_numpy()
        week = Week(
            t,
            columns["weight"],
            columns["drifted_weight"],
            before,
            first,
            asked["styles"]["kind"] if k % styles_every == 0 else None,
        )
        before = week.weight
        rows = relaxations.filter(pl.col("date") == date)
        relaxed = {(c, r): v for c, r, v in rows.select("constraint", "row", "value").rows()}
        _check_week(tables, index, asked, week, columns["benchmark_weight"], relaxed, found)
    counts = {"rebalances": rebalances.height, "relaxed_rebalances": relaxations["date"].n_unique()}
    return {**counts, "styles_every": styles_every, **found.__dict__, "examples": found.examples[:20]}


def _check_week(
    tables: Tables,
    index: str,
    asked: dict[str, Any],
    week: Week,
    told: Array,
    relaxed: dict[tuple[str, str], float],
    found: Found,
) -> None:
    t, w, invested = week.t, week.weight, 1.0 - asked["cash"]
    strayed = tables.strayed(index, t, told, plain_alone=asked["replica_weights"] == "float_cap")
    found.limit({}, "benchmark", str(tables.dates[t]), 0.0, strayed)
    found.limit(relaxed, "budget", "sum of weights", float(w.sum()), abs(float(w.sum()) - invested))
    found.limit({}, "long only", str(tables.dates[t]), float(w.min()), -float(w.min()))
    moved = np.where(tables.traded[t], 0.0, np.abs(w - week.drifted))
    found.limit({}, "not traded", str(tables.dates[t]), 0.0, float(moved.max()))
    bought = np.where(tables.st[t], np.maximum(w - week.drifted, 0.0), 0.0)
    found.limit({}, "st", str(tables.dates[t]), 0.0, float(bought.max()))
    active = w - invested * told
    for constraint in asked["constraints"]:
        kind = constraint["kind"]
        for row, value, low, high in _LIMITS[kind](tables, index, constraint, week, active, invested):
            found.limit(relaxed, kind, row, value, max(value - high, low - value))


_Lines = list[tuple[str, float, float, float]]


def _stock(tables: Tables, index: str, c: dict[str, Any], week: Week, active: Array, invested: float) -> _Lines:
    at = np.flatnonzero(active)
    return [(str(tables.symbols[n]), float(active[n]), -c["limit"], c["limit"]) for n in at]


def _industry(tables: Tables, index: str, c: dict[str, Any], week: Week, active: Array, invested: float) -> _Lines:
    industry = tables.industry(week.t)
    names = np.unique(industry[active != 0])
    return [(str(name), float(active[industry == name].sum()), -c["limit"], c["limit"]) for name in names]


def _style(tables: Tables, index: str, c: dict[str, Any], week: Week, active: Array, invested: float) -> _Lines:
    lines: _Lines = []
    if week.styles is None:
        return lines
    for name, exposure in tables.styles(week.styles, week.t).items():
        limit = c.get("limits", {}).get(name, c.get("default", 0.3))
        held = active != 0
        lines.append((name, float((active[held] * exposure[held]).sum()), -limit, limit))
    return lines


def _constituents(tables: Tables, index: str, c: dict[str, Any], week: Week, active: Array, invested: float) -> _Lines:
    share = float(week.weight[tables.members(index, week.t)].sum()) / invested
    return [("members", share, c["minimum"], np.inf)]


def _turnover(tables: Tables, index: str, c: dict[str, Any], week: Week, active: Array, invested: float) -> _Lines:
    """Frozen names don't count: those without a trade, and those whose weight did not move and may be locked."""
    if week.first or week.before is None:
        return []
    origin = week.drifted if c["turnover_from"] == "drifted" else week.before
    kept = np.flatnonzero((np.abs(week.weight - week.drifted) <= 1e-12) & (week.weight != origin))
    frozen = ~tables.traded[week.t]
    frozen[kept] |= tables.at_a_limit(week.t, kept)
    traded = float(np.abs(week.weight - origin)[~frozen].sum())
    return [(f"{c['sided']}-sided", traded / (2 if c["sided"] == "one" else 1), -np.inf, c["limit"])]


_LIMITS = {
    "stock_active_weight": _stock,
    "industry_active_weight": _industry,
    "style_active_exposure": _style,
    "constituents_weight": _constituents,
    "turnover": _turnover,
}


def places_of(path: Path) -> dict[str, Path]:
    """The portfolios of a run's folder by ``factor/index/constraints``, or a single portfolio's by its path."""
    if (path / "weights.parquet").is_file():
        return {str(path): path}
    found = sorted(file.parent for file in path.glob("portfolio/*/*/*/weights.parquet"))
    if not found:
        sys.exit(f"{path}: neither a portfolio (no weights.parquet) nor a run with portfolios")
    return {str(place.relative_to(path / "portfolio")): place for place in found}


def total(found: dict[str, dict[str, Any]]) -> str:
    """All portfolios in a line."""
    names = ("rebalances", "relaxed_rebalances", "checked", "recorded", "violations")
    sums = {name: sum(one[name] for one in found.values()) for name in names}
    return (
        f"{len(found)} portfolios, {sums['rebalances']:,} rebalances, {sums['relaxed_rebalances']:,} of them with "
        f"relaxed bounds; {sums['checked']:,} limits checked, {sums['recorded']:,} not kept and recorded, "
        f"{sums['violations']:,} violations"
    )


def main() -> int:
    """Check the portfolios that the command line names; 1 where a limit neither holds nor is recorded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("market", type=Path)
    parser.add_argument("places", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--styles-every", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    named = {name: place for path in given.places for name, place in places_of(path).items()}
    tables, found = Tables(given.market), {}
    for name, place in named.items():
        found[name] = check(tables, place, given.styles_every)
        if str(place) != name:  # of a run, which takes minutes
            print(f"{name}: {total({name: found[name]}).partition(', ')[2]}", file=sys.stderr, flush=True)
    content = json.dumps(found, indent=1)
    if given.out is not None:
        given.out.write_text(content + "\n", encoding="utf-8")
    print(content)
    return int(any(one["violations"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
