"""Law three for the crossing from tables to arrays: tables cut after a day give the same rows up to it, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import derived as build_derived
from deepfactor.panel.build import fields as build_fields
from deepfactor.panel.build import indices as build_indices
from deepfactor.panel.build import open_panel
from deepfactor.panel.build import universe as build_universe
from deepfactor.panel.build.derived import month_starts
from deepfactor.panel.weighting import KINDS, Weighting
from deepfactor.store.folder import write_market
from support.index_market import INDEX, index_market
from support.market_tables import DELISTED, SUSPENDED, market_tables, until

CUTS = (3, 10, 19, 22, 28, 31, 33, 41, 52)


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return market_tables(seed=3)


@pytest.fixture(scope="module")
def dates(tables) -> list[date]:
    return tables["daily"]["date"].unique().sort().to_list()


@pytest.mark.parametrize("t", CUTS)
def test_a_cut_changes_nothing_before_it(tables, dates, tmp_path, t):
    whole = arrays(tables, tmp_path / "whole")
    cut = arrays(until(tables, dates[t]), tmp_path / "cut")
    assert first_difference(whole, cut, t) is None


def test_without_optional_tables_and_columns(tables, dates, tmp_path):
    bare = {"daily": tables["daily"].drop("adj_factor", "is_st", "float_mv", "is_suspended")}
    bare["calendar"] = tables["calendar"]
    raw = {"no_adjustment": True}
    whole = arrays(bare, tmp_path / "whole", raw)
    for t in (10, 33):
        cut = {"daily": bare["daily"].filter(pl.col("date") <= dates[t]), "calendar": bare["calendar"]}
        assert first_difference(whole, arrays(cut, tmp_path / f"cut{t}", raw), t) is None


def test_the_market_has_what_could_leak(tables, dates):
    """Cuts lie before the delisting and inside a suspension; a delist date is known ahead of the last row."""
    daily, securities = tables["daily"], tables["securities"]
    delisted = securities.filter(pl.col("symbol") == DELISTED)["delist_date"][0]
    assert any(0 <= dates.index(delisted) - t <= 10 for t in CUTS)
    suspended = daily.filter(pl.col("symbol") == SUSPENDED)["date"].to_list()
    assert any(dates[t] not in suspended and dates[t + 1] not in suspended for t in CUTS)


@pytest.fixture(scope="module")
def estimated() -> dict[str, pl.DataFrame]:
    """A market whose index weights are estimated from the index's own returns."""
    return index_market(days=240).tables


def estimated_until(tables: dict[str, pl.DataFrame], day: date) -> dict[str, pl.DataFrame]:
    members = tables["index_members"].filter(pl.col("start_date") <= day)
    ended = pl.when(pl.col("end_date") <= day).then(pl.col("end_date"))
    return {
        **{name: tables[name].filter(pl.col("date") <= day) for name in ("daily", "index_daily")},
        "index_members": members.with_columns(ended.alias("end_date")),
        "calendar": tables["calendar"],
    }


def test_estimated_weights_know_no_later_return(estimated, tmp_path):
    """Cuts at, before and after the close of a fit, and within the month that it holds for."""
    whole = arrays(estimated, tmp_path / "whole")
    days = whole["dates"].tolist()
    assert (whole[f"weights of {INDEX}"]["kind"] == KINDS.index("estimated")).any()
    fits = month_starts(whole["dates"])
    for t in (fits[-3] - 1, fits[-3], fits[-3] + 1, fits[-2] + 7, 170):
        cut = arrays(estimated_until(estimated, days[t]), tmp_path / f"cut{t}")
        assert first_difference(whole, cut, t) is None


@pytest.mark.slow
def test_a_fit_to_later_returns_is_caught(estimated, tmp_path, monkeypatch):
    honest = build_derived.Derivation._estimates

    def early(self, members, before, level):
        for row, factors in honest(self, members, before, level):
            yield row - 5, factors

    monkeypatch.setattr(build_derived.Derivation, "_estimates", early)
    whole = arrays(estimated, tmp_path / "whole")
    days = whole["dates"].tolist()
    cuts = month_starts(whole["dates"])[-4:] - 3
    found = [first_difference(whole, arrays(estimated_until(estimated, days[t]), tmp_path / f"{t}"), t) for t in cuts]
    assert any(name is not None for name in found)


def plant_backward_fill(patch: pytest.MonkeyPatch) -> None:
    def fill(values, *traded):
        for t in range(len(values) - 2, -1, -1):
            missing = np.isnan(values[t])
            values[t, missing] = values[t + 1, missing]
        honest(values, *traded)

    honest = build_fields.carry_forward
    patch.setattr(build_fields, "carry_forward", fill)


def plant_last_factor(patch: pytest.MonkeyPatch) -> None:
    honest = build_fields._carry_over

    def forward_adjusted(built, marks):
        honest(built, marks)
        built.arrays["adj_factor"] /= built.arrays["adj_factor"][-1]

    patch.setattr(build_fields, "_carry_over", forward_adjusted)


def plant_delist_date(patch: pytest.MonkeyPatch) -> None:
    honest = build_universe._listing

    def knows(folder, fields, counts):
        listed, day = honest(folder, fields, counts)
        gone = ~listed & (np.cumsum(listed, axis=0) > 0)
        listed[:-5] &= ~gone[5:]
        return listed, day

    patch.setattr(build_universe, "_listing", knows)


def plant_suspension(patch: pytest.MonkeyPatch) -> None:
    honest = build_fields._carry_over

    def knows(built, marks):
        honest(built, marks)
        built.traded[:-1] &= built.traded[1:]

    patch.setattr(build_fields, "_carry_over", knows)


def plant_future_weights(patch: pytest.MonkeyPatch) -> None:
    honest = build_indices._published

    def early(folder, fields, counts):
        published = honest(folder, fields, counts)
        return {k: replace(p, rows=np.maximum(p.rows - 5, 0)) for k, p in published.items()}

    patch.setattr(build_indices, "_published", early)


@pytest.mark.slow
@pytest.mark.parametrize(
    "plant", [plant_backward_fill, plant_last_factor, plant_delist_date, plant_suspension, plant_future_weights]
)
def test_planted_leaks_are_caught(tables, dates, tmp_path, monkeypatch, plant):
    plant(monkeypatch)
    whole = arrays(tables, tmp_path / "whole")
    cuts = {t: arrays(until(tables, dates[t]), tmp_path / f"cut{t}") for t in (22, 28, 31, 41)}
    assert any(first_difference(whole, cut, t) is not None for t, cut in cuts.items())


def arrays(tables: dict[str, pl.DataFrame], market: Path, source: dict | None = None) -> dict[str, np.ndarray]:
    """Everything that panel and universe hold, by name: (T, N) or (T,); names of industries instead of numbers."""
    write_market(market, tables, source=source or {})
    panel, universe = open_panel(market)
    out = {f"field {name}": values for name, values in panel.fields.items()}
    out |= {name: getattr(universe, name) for name in ("listed", "traded", "st", "limit_up", "limit_down")}
    out["industry"] = np.array([*universe.industries, "-"])[universe.industry]
    for kind in ("members", "benchmark", "index_close", "index_total_return"):
        out |= {f"{kind} {index}": values for index, values in getattr(universe, kind).items()}
    out |= {f"weights of {index}": weighting.rows for index, weighting in universe.weighting.items()}
    out |= {"dates": panel.dates, "next_date": universe.next_date, "symbols": panel.symbols}
    return out


def first_difference(whole: dict[str, np.ndarray], cut: dict[str, np.ndarray], t: int) -> str | None:
    """Name of the first array whose rows up to t differ, compared by symbol; None where none does.

    Symbols and indices that the cut doesn't know must be absent from the whole's rows too.
    """
    column = np.searchsorted(whole["symbols"], cut["symbols"])
    strangers = np.setdiff1d(np.arange(len(whole["symbols"])), column)
    if whole["traded"][: t + 1, strangers].any():
        return "symbols"
    for name, values in whole.items():
        if name == "symbols":
            continue
        rows = values[: t + 1]
        known = rows[:, column] if rows.ndim == 2 else rows
        other = cut.get(name)
        if other is None and name.startswith("weights of"):
            other = Weighting.of("none", t + 1).rows
        if other is None:
            other = np.full_like(known, np.nan) if known.dtype.kind == "f" and "index" in name else np.zeros_like(known)
        if known.tobytes() != np.ascontiguousarray(other.astype(known.dtype)).tobytes():
            return name
    return None
