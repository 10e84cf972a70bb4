"""Each arm beside each other one: paired differences of daily RankIC, of what styles leave of it, of the top group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any, cast

import numpy as np
import polars as pl

from deepfactor.backtest.records import PairedPortfolio
from deepfactor.evaluation.definitions import TRADING_DAYS
from deepfactor.evaluation.paired import paired_difference
from deepfactor.evaluation.records import PairedEntry
from deepfactor.report.content import ArmContent

#: Trading days of the paired differences: Study B's two.
HORIZONS = (10, 20)
#: Lags of the top groups' daily returns: how long a group is held.
WEEK = 5
#: The columns that tell one series from another, by what is measured.
_CASES = {
    "rank_ic": ("universe", "convention", "horizon"),
    "residual_rank_ic": ("set", "universe", "convention", "horizon"),
    "top_excess": ("universe",),
}

#: What stands beside a residual's RankIC: the score's own over the same names, and how many these are.
_BESIDE = ("raw_rank_ic", "n")

Series = Mapping[tuple[Any, ...], pl.DataFrame]


def paired_differences(arms: Sequence[ArmContent]) -> list[PairedEntry]:
    """Entries of ``paired.json``: first less second arm on common days, for each pair and each thing measured.

    ``rank_ic`` and ``residual_rank_ic`` (by style set) are daily and at `HORIZONS` under `t1_close`, or the first
    convention where that wasn't tested; lags = horizon. ``top_excess`` is the daily log return of the top group, a
    year: what it is measured against is the same for both. Beside RankIC stand the standard deviations over seeds of
    the two arms' means, where an arm has more than one seed; beside what styles leave, the difference of the raw
    RankICs over the same days and each arm's own names, and how many names a day those are.
    """
    paired: list[PairedEntry] = []
    for measure, case in _CASES.items():
        series = {arm.name: _series(arm, measure) for arm in arms}
        for first, second in combinations(arms, 2):
            both = series[first.name], series[second.name]
            for key, difference in _differences(*both, measure):
                entry = {
                    "measure": measure,
                    "first": first.name,
                    "second": second.name,
                    **dict(zip(case, key, strict=True)),
                }
                spreads = {f"seed_std_{k}": _seed_std(arm, entry) for k, arm in (("first", first), ("second", second))}
                paired.append(cast(PairedEntry, {**entry, **difference, **spreads}))
    universes = list(dict.fromkeys(entry["universe"] for entry in paired))
    order = list(_CASES)
    return sorted(paired, key=lambda e: (order.index(e["measure"]), e.get("set", ""), e.get("horizon", 0),
                                        universes.index(e["universe"])))  # fmt: skip


def paired_portfolios(curves: Mapping[tuple[str, str, str], pl.DataFrame]) -> list[PairedPortfolio]:
    """Entries of ``paired_portfolios.json``: by (index, constraints, arm) curves with date and nav; first less second
    arm, for each pair on the same index under the same constraints.

    Daily log returns after cost, a year; lags: a week. What they are measured against is the same for both.
    """
    entries: list[PairedPortfolio] = []
    for (first, one), (second, other) in combinations(curves.items(), 2):
        if first[:2] != second[:2]:
            continue
        both = one.select("date", "nav").join(other.select("date", "nav"), on="date", suffix="_second").sort("date")
        left, right = (np.diff(np.log(both[name].to_numpy())) for name in ("nav", "nav_second"))
        made = paired_difference(left, right, WEEK)
        entries.append(
            {
                "index": first[0],
                "constraints": first[1],
                "first": first[2],
                "second": second[2],
                "difference": _plain(TRADING_DAYS * made.mean),
                "standard_error": _plain(TRADING_DAYS * made.standard_error),
                "t_newey_west": _plain(made.t_newey_west),
                "win_rate": _plain(made.win_rate),
                "lags": made.lags,
                "n": made.n,
            }
        )
    return entries


def _series(arm: ArmContent, measure: str) -> Series:
    """An arm's daily values by case: date (sorted), value."""
    frame = {
        "rank_ic": arm.ic_series,
        "residual_rank_ic": arm.residual_series,
        "top_excess": arm.group_nav,
    }[measure]
    if frame is None or frame.is_empty():
        return {}
    if measure == "top_excess":
        frame = frame.sort("universe", "date").with_columns(value=pl.col("nav").log().diff().over("universe"))
    else:
        tested = frame["convention"].unique(maintain_order=True).to_list()
        main = "t1_close" if "t1_close" in tested else tested[0]
        frame = frame.filter((pl.col("convention") == main) & pl.col("horizon").is_in(list(HORIZONS)))
        frame = frame.with_columns(value=pl.col("rank_ic"))
    parts = frame.sort("date").partition_by(*_CASES[measure], as_dict=True, maintain_order=True)
    columns = ["date", "value", *(column for column in _BESIDE if column in frame.columns)]
    return {key: part.select(columns) for key, part in parts.items()}


def _differences(
    first: Series, second: Series, measure: str
) -> Iterator[tuple[tuple[Any, ...], dict[str, float | int | None]]]:
    """Case and its numbers, of the cases that both arms have."""
    for key, one in first.items():
        if key not in second:
            continue
        both = one.join(second[key], on="date", suffix="_second").sort("date")
        left, right = (both[name].cast(pl.Float64).to_numpy() for name in ("value", "value_second"))
        numbers = asdict(paired_difference(left, right, WEEK if measure == "top_excess" else int(key[-1])))
        scale = TRADING_DAYS if measure == "top_excess" else 1
        numbers["difference"] = numbers.pop("mean") * scale
        numbers["standard_error"] *= scale
        if measure == "residual_rank_ic":
            numbers |= _raw(both)
        yield key, {name: _plain(value) for name, value in numbers.items()}


def _raw(both: pl.DataFrame) -> dict[str, float]:
    """Mean difference of the raw RankICs on the days that count, and each arm's names a day; NaN where a run of before
    doesn't say."""
    days = both.filter(pl.col("value").is_finite() & pl.col("value_second").is_finite())
    said = set(_BESIDE) <= set(days.columns) and all(f"{column}_second" in days.columns for column in _BESIDE)
    if not said or days.is_empty():
        return dict.fromkeys(("raw_difference", "names_first", "names_second"), np.nan)
    raw = days["raw_rank_ic"].to_numpy() - days["raw_rank_ic_second"].to_numpy()
    return {"raw_difference": raw.mean(), "names_first": days["n"].mean(), "names_second": days["n_second"].mean()}


def _seed_std(arm: ArmContent, entry: Mapping[str, object]) -> float | None:
    """Standard deviation of the seeds' mean RankIC behind an entry; None where there is none."""
    if entry["measure"] != "rank_ic":
        return None
    wanted = {key: entry[key] for key in _CASES["rank_ic"]} | {"sampling": "daily", "names": "all"}
    spread = arm.factor_report.get("seed_spread") or ()
    return next((one["std"] for one in spread if wanted.items() <= one.items()), None)


def _plain(value: float) -> float | int | None:
    if isinstance(value, int):
        return value
    return float(value) if np.isfinite(value) else None
