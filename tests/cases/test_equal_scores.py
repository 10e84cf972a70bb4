"""Equal scores: a constant signal, one of −1, 0 and 1, one known for three stocks a day. Nothing hangs on codes."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from deepfactor.panel.build import open_panel
from deepfactor.panel.returns import adjusted, trailing_return
from support.cli import deepfactor

pytestmark = pytest.mark.usefixtures("styles_once")

SPAN = ("--start", "2020-01-01", "--end", "2020-12-31")


@pytest.fixture(scope="module")
def market(small_market):
    return open_panel(small_market)


@pytest.fixture(scope="module")
def values(market):
    """Minus the 20-day return of 2020."""
    values = -trailing_return(market[0], 20)
    values[market[0].dates < np.datetime64("2020-01-01")] = np.nan
    return values


def write(panel, file, values):
    day, stock = np.nonzero(np.isfinite(values))
    columns = {"date": panel.dates[day], "symbol": panel.symbols[stock].astype(str), "score": values[day, stock]}
    pl.DataFrame(columns).write_parquet(file)
    return file


def steps(values):
    return np.where(np.isfinite(values), (values > 0.05) * 1.0 - (values < -0.05), np.nan)


@pytest.fixture
def tested(small_market, market, tmp_path):
    """The lines on the terminal, the report and the page."""

    def test(values):
        file, out = write(market[0], tmp_path / "x.parquet", values), tmp_path / "out"
        asked = ("--universe", "every,all", "--horizon", 5)
        result = deepfactor("test", file, "--market", small_market, *asked, "--out", out, *SPAN)
        assert result.code == 0, result.err
        report = json.loads((out / "arms" / "x" / "factor_report.json").read_text())
        return result.out, report, (out / "report.html").read_text()

    return test


def enhanced(market, folder, file):
    return deepfactor("enhance", file, "--market", market, "--index", "000905.SH", "--out", folder / "out")


@pytest.mark.slow
def test_a_constant_has_no_groups_and_no_tops_and_says_so(values, tested):
    out, report, page = tested(np.where(np.isfinite(values), 1.0, np.nan))
    assert "groups of all: none, all scores of a day are equal" in out
    assert "top portfolios: none, all scores of a day are equal" in out
    for group in report["groups"]:
        assert (group["reason"], group["top"], set(group["annual_return"])) == ("equal_scores", None, {None})
    assert {(top["reason"], top["gross"], top["net"]) for top in report["top_n"]} == {("equal_scores", None, None)}
    assert "all scores of a day are equal, so there are no groups" in page
    assert "每日全部得分相同" in page


@pytest.mark.slow
def test_steps_are_shared_and_counted(market, values, tested):
    out, report, page = tested(steps(values))
    for group in report["groups"]:
        assert group["reason"] is None
        assert 0.5 < group["edges_in_ties"] <= 1.0
        assert 0.5 < group["names_shared"] <= 1.0
    assert "of the edges lie within equal scores" in out
    assert "equal scores straddle the edge" in out
    assert "of the edges between groups lie within equal scores" in page
    panel, universe = market
    prices, found = adjusted(panel, "close"), []
    for t in np.flatnonzero(np.isfinite(values).any(axis=1))[:-6]:
        kept = np.isfinite(values[t]) & universe.traded[t + 1] & universe.traded[t + 6]
        found.append(spearmanr(steps(values)[t, kept], prices[t + 6, kept] / prices[t + 1, kept])[0])
    wanted = {"universe": "every", "convention": "t1_close", "sampling": "daily", "names": "all"}
    (record,) = (record for record in report["records"] if wanted.items() <= record.items())
    assert record["rank_ic"]["mean"] == pytest.approx(np.mean(found), abs=1e-12)


@pytest.mark.slow
def test_three_stocks_a_day_are_too_few_for_groups_and_say_so(values, tested):
    few = np.where(np.cumsum(np.isfinite(values), axis=1) <= 3, values, np.nan)
    out, report, _ = tested(few)
    assert "groups of every: none, too few names with a score" in out
    assert {group["reason"] for group in report["groups"]} == {"too_few_names"}


def test_a_constant_enhances_no_index(small_market, market, values, tmp_path):
    file = write(market[0], tmp_path / "x.parquet", np.where(np.isfinite(values), 0.1, np.nan))
    said = enhanced(small_market, tmp_path, file)
    assert said.code == 2
    message = said.err.splitlines()[-1]
    assert "one and the same score on each of" in message
    assert "nothing tells them apart" in message


@pytest.mark.slow
def test_steps_enhance_an_index_and_it_is_said_whose_choice_that_is(small_market, market, values, tmp_path):
    file = write(market[0], tmp_path / "x.parquet", steps(values))
    said = enhanced(small_market, tmp_path, file)
    assert said.code == 0, said.err
    assert "a tenth or more of the names have equal scores" in said.err
    assert "持有其中哪些由求解器决定" in (tmp_path / "out" / "report.html").read_text()
