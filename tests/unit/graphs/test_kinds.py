"""Each graph against its definition, pair by pair."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.core.kind import Kind
from deepfactor.graphs import full, fundamental, industry, random
from deepfactor.graphs._business import RATIOS, ratios, snapshot
from deepfactor.graphs.base import Edges, rebuilt
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.sources.simulated import Settings, open_source
from deepfactor.store.folder import write_market
from support.filings import Known, random_fundamentals
from support.toy import toy_market

STOCKS, ROW = 60, 110
ITEMS = ("net_profit_ttm", "revenue_ytd", "operating_cost_q", "total_equity", "total_assets", "total_liabilities")


def toy(seed: int = 0, items: tuple[str, ...] = ITEMS) -> tuple[Panel, Universe]:
    panel, universe = toy_market(stocks=STOCKS, seed=seed)
    return replace(panel, fundamentals=random_fundamentals(seed, items, stocks=STOCKS, days=120, years=4)), universe


def slow_graph(raw: np.ndarray, group: np.ndarray, k: int) -> list[dict[int, float]]:
    """Neighbours of each stock with their cosines, by loops."""
    z = np.zeros(raw.shape)
    for g in set(group.tolist()):
        for f in range(raw.shape[1]):
            at = [i for i in range(len(raw)) if group[i] == g and np.isfinite(raw[i, f])]
            x = raw[at, f]
            if len(x) > 1:
                reach = 5 * 1.4826 * np.median(np.abs(x - np.median(x)))
                x = np.clip(x, np.median(x) - reach, np.median(x) + reach) if reach > 0 else x
                z[at, f] = (x - x.mean()) / x.std() if x.std() > 0 else 0
    part = [i for i in range(len(raw)) if np.isfinite(raw[i]).sum() * 2 >= raw.shape[1] and z[i].any()]
    cosine = {(i, j): z[i] @ z[j] / np.sqrt(z[i] @ z[i] * (z[j] @ z[j])) for i in part for j in part if i != j}
    picks = {(i, j) for i in part for j in sorted((j for j in part if j != i), key=lambda j: -cosine[i, j])[:k]}
    mutual = picks | {(j, i) for i, j in picks}
    out: list[dict[int, float]] = []
    for i in range(len(raw)):
        mine = sorted((j for a, j in mutual if a == i), key=lambda j: -cosine[i, j])[: 2 * k]
        out.append({j: cosine[i, j] for j in mine})
    return out


def as_dicts(found: Edges) -> list[dict[int, float]]:
    """Without the stock itself."""
    rows = [list(zip(i.tolist(), s.tolist(), strict=True)) for i, s in zip(*found, strict=True)]
    return [{j: s for j, s in row[1:] if j >= 0} for row in rows]


@pytest.mark.parametrize("k", [1, 4, 70])
@pytest.mark.parametrize("within", [False, True])
def test_the_fundamental_graph_is_its_definition(k: int, within: bool) -> None:
    panel, universe = toy(k)
    columns = np.flatnonzero(np.arange(STOCKS) % 7 > 0)
    settings = fundamental.Settings(k=k, within_industry=within)
    found = as_dicts(fundamental.edges(settings, panel, universe, ROW, columns))
    at = rebuilt(universe, ROW)
    assert at is not None
    raw = np.stack([x[columns] for x in ratios(panel, at, settings.ratios).values()], axis=1)
    assert 0.05 < np.isnan(raw).mean() < 0.6
    group = universe.industry[at, columns] if within else np.zeros(len(columns))
    expected = slow_graph(raw, group, k)
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    for row, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(list(row.values()), list(wanted.values()), atol=1e-5)
        assert list(row.values()) == sorted(row.values(), reverse=True), "the most alike first"
    lengths = {len(row) for row in found}
    assert max(lengths) <= 2 * k
    assert 0 in lengths, "someone is described too poorly"


@pytest.mark.parametrize("row", [25, 80, 119])
def test_ratios_are_what_was_known(row: int) -> None:
    """Against reports asked one by one."""
    panel, _ = toy()
    found = ratios(panel, row, RATIOS)
    assert set(RATIOS) == found.keys()
    day = int(panel.dates[row].astype(int))
    checked = 0
    for stock in range(STOCKS):
        known = {item: Known(panel.fundamentals[item], stock, day) for item in ITEMS}
        last = {item: k(k.latest) if k.latest is not None else np.nan for item, k in known.items()}
        cost, revenue = known["operating_cost_q"], known["revenue_ytd"]
        year = [cost(cost.latest - i) for i in range(4)] if cost.latest is not None else [np.nan]
        sales = revenue.trailing(revenue.latest) if revenue.latest is not None else np.nan
        before = revenue.trailing(revenue.latest - 4) if revenue.latest is not None else np.nan
        value = float(panel["total_mv"][row, stock])
        expected = {
            "asset_turnover": (sales, last["total_assets"]),
            "gross_margin": (sales - sum(year), sales),
            "leverage": (last["total_liabilities"], last["total_assets"]),
            "net_margin": (last["net_profit_ttm"], sales),
            "roe": (last["net_profit_ttm"], last["total_equity"]),
            "equity_turnover": (sales, last["total_equity"]),
            "revenue_growth": (sales - before, abs(before)),
            "bp": (last["total_equity"], value),
            "ep": (last["net_profit_ttm"], value),
            "sp": (sales, value),
        }
        for name, (above, below) in expected.items():
            ratio = above / below if below > 0 else np.nan
            np.testing.assert_allclose(found[name][stock], ratio, rtol=1e-6, err_msg=name)
            checked += bool(np.isfinite(ratio))
        np.testing.assert_allclose(found["size"][stock], np.log(value))
    assert checked > 5 * STOCKS


@pytest.mark.parametrize("item", ITEMS)
def test_the_snapshot_is_the_reports_of_the_day(item: str) -> None:
    panel, _ = toy(3)
    reports = panel.fundamentals
    for row in (0, 40, 119):
        then = snapshot(reports, row)
        whole = reports.last_quarters(reports.quarters(item, 12), row)[0]
        np.testing.assert_array_equal(then.last_quarters(then.quarters(item, 12), row)[0], whole)


def test_what_the_market_lacks_is_left_out_or_said() -> None:
    panel, universe = toy(items=("net_profit_ttm", "total_equity"))
    assert set(ratios(panel, ROW, RATIOS)) == {"roe", "profit_growth", "bp", "ep", "size"}
    with pytest.raises(DataError, match=r"gives roe; it lacks sp \(no revenue\), leverage \(no total_liabilities\)"):
        ratios(panel, ROW, ("roe", "sp", "leverage"))
    with pytest.raises(DataError, match="this market has none"):
        fundamental.edges(fundamental.Settings(), replace(panel, fundamentals=None), universe, ROW, np.arange(5))


def test_industry_and_full() -> None:
    panel, universe = toy()
    columns = np.arange(5, 40)
    same = as_dicts(industry.edges(industry.Settings(), panel, universe, ROW, columns))
    label = universe.industry[rebuilt(universe, ROW), columns]
    for i, row in enumerate(same):
        assert row.keys() == {j for j in range(35) if j != i and label[j] == label[i] >= 0}
    assert {0} < {len(row) for row in same}
    everyone = as_dicts(full.edges(full.Settings(), panel, universe, ROW, columns))
    assert all(row.keys() == set(range(35)) - {i} for i, row in enumerate(everyone))


def test_random_has_the_degrees_and_similarities_of_the_other_and_nothing_else() -> None:
    panel, universe = toy()
    columns = np.arange(STOCKS)
    settings = random.Settings(like=Kind(kind="fundamental", k=3))
    like = fundamental.edges(fundamental.Settings(k=3), panel, universe, ROW, columns)
    found = random.edges(settings, panel, universe, ROW, columns)
    np.testing.assert_array_equal(found.neighbour < 0, like.neighbour < 0)
    np.testing.assert_array_equal(found.similarity, like.similarity)
    there = found.neighbour[:, 1:] >= 0
    shared = sum(len(a.keys() & b.keys()) for a, b in zip(as_dicts(found), as_dicts(like), strict=True))
    expected = (there.sum(axis=1) ** 2).sum() / (STOCKS - 1)
    assert abs(shared - expected) < 4 * np.sqrt(expected)
    other = random.edges(settings.model_copy(update={"seed": 1}), panel, universe, ROW, columns)
    assert (other.neighbour != found.neighbour).mean() > 0.1


def test_random_relations_last() -> None:
    """Another month, and other stocks beside them: the same pairs, as far as degrees allow."""
    panel, universe = toy()
    settings = random.Settings(like=Kind(kind="full"))
    found = random.edges(settings, panel, universe, ROW, np.arange(STOCKS))
    part = np.arange(0, STOCKS, 3)
    fewer = random.edges(settings, panel, universe, 30, part)
    for place, stock in enumerate(part.tolist()):
        order = [j for j in found.neighbour[stock].tolist() if j in part]
        assert part[fewer.neighbour[place]].tolist() == order


def test_random_draws_every_other_stock_equally_often() -> None:
    panel, universe = toy_market(stocks=400)
    like = Kind(kind="industry")
    found = random.edges(random.Settings(like=like), panel, universe, ROW, np.arange(400))
    count = np.bincount(found.neighbour[:, 1:][found.neighbour[:, 1:] >= 0], minlength=400)
    share = count.mean() / 399
    assert np.abs(count - count.mean()).max() < 5 * np.sqrt(399 * share * (1 - share))


@pytest.mark.slow
def test_true_neighbours_of_a_simulated_market(tmp_path: Path) -> None:
    """Of the hidden pairs by which returns spill over, the default graph finds two in three among 300 stocks."""
    source = open_source(Settings(stocks=300, start=date(2019, 1, 2), end=date(2019, 6, 28), seed=3), None)
    write_market(tmp_path / "m", {name: source.fetch(name) for name in source.tables()}, source=source.describe())
    panel, universe = open_panel(tmp_path / "m")
    row = len(panel.dates) - 3
    columns = np.flatnonzero(universe.traded[row])
    place = {symbol: i for i, symbol in enumerate(panel.symbols[columns].tolist())}
    truth = {(place[a], place[b]) for a, b in source.neighbours().iter_rows() if a in place and b in place}
    assert len(truth) > 1000

    def recall(found: Edges) -> float:
        pairs = {(i, j) for i, row in enumerate(as_dicts(found)) for j in row}
        return len(truth & pairs) / len(truth)

    assert recall(fundamental.edges(fundamental.Settings(), panel, universe, row, columns)) > 0.6
    business = ("asset_turnover", "gross_margin", "leverage", "net_margin")
    assert recall(fundamental.edges(fundamental.Settings(ratios=business), panel, universe, row, columns)) > 0.9
    assert recall(random.edges(random.Settings(), panel, universe, row, columns)) < 0.12
