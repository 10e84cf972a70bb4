"""Groups and top portfolios against a bookkeeping by hand: one position at a time, from the raw prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.evaluation import factor_test
from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.groups import EQUAL_WEIGHT, weekly_groups
from deepfactor.evaluation.holding import Marks
from deepfactor.evaluation.membership import assign_groups, best
from deepfactor.evaluation.tops import portfolio_size, top_portfolios
from deepfactor.evaluation.window import cut_window
from support.membership import numbers, shared_by_hand, table

INDEX, DELISTED, ENDED = "000300.SH", 3, 5
HAIRCUT, COST = 0.3, 0.0015


class Book:
    """Positions in money, valued by hand."""

    def __init__(self, market, price):
        self.market, self.price = market, price
        self.value, self.mark, self.carried = {}, {}, set()

    def adjusted(self, t, j):
        return float(self.market.panel[self.price][t, j]) * self.market.panel["adj_factor"][t, j]

    def fen(self, t, j, field):
        return round(float(self.market.panel[field][t, j]) * 100)

    def at_limit(self, t, j):
        up, down = int(self.market.universe.limit_up[t, j]), int(self.market.universe.limit_down[t, j])
        price = self.fen(t, j, self.price)
        return (price >= up or self.fen(t, j, "low") >= up), (price <= down or self.fen(t, j, "high") <= down)

    def trades(self, t, j):
        return bool(self.market.universe.traded[t, j])

    def enterable(self, t, j):
        return self.trades(t, j) and not any(self.at_limit(t, j))

    def sellable(self, t, j):
        if not self.market.universe.listed[t, j]:
            return True
        return self.trades(t, j) and not self.at_limit(t, j)[1]

    def rebalance(self, t, shares):
        """To {name: share}, in parts in proportion; returns Σ|Δw| from the drifted weights."""
        total = sum(self.value.values()) or 1.0
        stuck = {j: v for j, v in self.value.items() if not self.sellable(t, j)}
        each = (total - sum(stuck.values())) / sum(shares.values())
        new = stuck | {j: each * share for j, share in shares.items()}
        turnover = sum(abs(new.get(j, 0) - self.value.get(j, 0)) for j in {*new, *self.value}) / total
        self.value = new
        self.mark = {j: self.adjusted(t, j) if self.trades(t, j) else self.mark[j] for j in new}
        return turnover

    def advance(self, t):
        """From the close of t − 1 to t."""
        for j in self.value:
            if self.trades(t, j):
                now = self.adjusted(t, j)
            else:
                self.carried.add((t, j))
                gone = not self.market.universe.listed[t, j] and self.market.universe.listed[t - 1, j]
                now = self.mark[j] * (1 - HAIRCUT) if gone else self.mark[j]
            self.value[j] *= now / self.mark[j]
            self.mark[j] = now
        return sum(self.value.values())


def window_of(market, scores):
    return cut_window(scores, market.panel, market.universe, market.eligible, start=None, end=None, reach=21)


def keep_books(market, price, plan, end):
    """NAV by day, turnover by rebalance and (day, name) carried, for one portfolio; plan: {row: {name: share}}."""
    book, nav, turnover = Book(market, price), [], []
    for t in range(min(plan), end + 1):
        nav.append(book.advance(t) if nav else 1.0)
        if t in plan:
            turnover.append(book.rebalance(t, plan[t]))
    return np.array(nav), np.array(turnover), book.carried


def week_end_rows(dates, next_date):
    weeks = [d.astype(object).isocalendar()[:2] for d in dates]
    return [t for t in range(len(dates)) if weeks[t] != next_date[t].astype(object).isocalendar()[:2]]


def plan_groups(market, scores, names, n, end):
    book, plans, everyone = Book(market, "close"), [{} for _ in range(n)], {}
    for signal in week_end_rows(market.panel.dates, market.universe.next_date):
        t = signal + 1
        if t >= end:
            continue
        there = [j for j in np.flatnonzero(names[signal]) if book.enterable(t, j)]
        scored = {j: scores[signal, j] for j in there if np.isfinite(scores[signal, j])}
        if len(scored) < n:
            continue
        everyone[t] = dict.fromkeys(there, 1.0)
        for g, shares in enumerate(shared_by_hand(scored, n, lambda k, m: k * n // m)):
            plans[g][t] = shares
    return plans, everyone


@pytest.mark.parametrize(("universe", "n"), [("all", 4), (INDEX, 3), ("every", 5)])
def test_groups_are_those_kept_by_hand(market, scores, universe, n):
    window = window_of(market, scores)
    end = len(market.panel.dates) - 1
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    result = weekly_groups(window, universe, marks, n, "no index", PRESETS["study_b"])
    names = {
        "all": market.eligible,
        INDEX: market.eligible & market.universe.members[INDEX],
        "every": np.isfinite(scores.values),
    }[universe]
    plans, everyone = plan_groups(market, scores.values, names, n, end)
    carried = set()  # a name that is shared is one name
    for g, plan in enumerate(plans):
        nav, turnover, days = keep_books(market, "close", plan, end)
        np.testing.assert_allclose(result.nav[:, g], nav, rtol=1e-12)
        carried |= days
    assert result.benchmark == EQUAL_WEIGHT
    np.testing.assert_allclose(result.turnover, turnover[1:] / 2, rtol=1e-11)
    np.testing.assert_allclose(result.benchmark_nav, keep_books(market, "close", everyone, end)[0], rtol=1e-12)
    np.testing.assert_array_equal(result.dates, market.panel.dates[min(plans[0]) : end + 1])
    assert result.counts["position_days_without_price"] == len(carried) > 0
    assert result.counts["stuck_positions"] > 0
    assert result.counts["positions_delisted"] == names[:, DELISTED].any()
    assert 0 < result.edges_in_ties < 1
    assert 0 < result.names_shared < 1
    assert result.reason is None


def test_groups_compare_with_the_index_where_its_level_is_known_each_day(market, scores):
    window = window_of(market, scores)
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    result = weekly_groups(window, "all", marks, 3, INDEX, PRESETS["study_b"])
    level = market.universe.index_close[INDEX]
    first = int(np.searchsorted(market.panel.dates, result.dates[0]))
    assert result.benchmark == INDEX
    np.testing.assert_allclose(result.benchmark_nav, level[first:] / level[first])
    record = result.record()
    years = (len(result.dates) - 1) / 252
    own, other = result.nav[-1, -1] ** (1 / years) - 1, result.benchmark_nav[-1] ** (1 / years) - 1
    growth = (result.nav[-1, -1] / result.benchmark_nav[-1]) ** (1 / years) - 1
    assert record["definitions"] == {"year": "trading", "annual_excess": "ratio", "yearly_excess": "ratio"}
    assert record["top"]["annual_excess"] == record["top"]["annual_excess_nav_ratio"] == pytest.approx(growth)
    assert record["top"]["annual_excess_difference"] == pytest.approx(own - other)
    chained = np.prod([1 + entry["excess"] for entry in record["by_year"].values()])
    assert chained ** (1 / years) - 1 == pytest.approx(growth)
    assert (result.cap_weight_nav, record["also"]) == (None, {})  # the index is there: nothing is derived
    differently = weekly_groups(window, "all", marks, 3, INDEX, PRESETS["study_a"]).record()
    assert differently["top"]["annual_excess"] == differently["top"]["annual_excess_difference"]
    assert record["annual_return"][-1] == pytest.approx(own)
    assert list(record["by_year"]) == ["2019", "2020"]
    top, bench = result.nav[:, -1], result.benchmark_nav
    excess = np.diff(top) / top[:-1] - np.diff(bench) / bench[:-1]
    assert record["top"]["excess_sharpe"] == pytest.approx(excess.mean() / excess.std(ddof=1) * 252**0.5)
    ratio = top / bench
    assert record["top"]["excess_max_drawdown"] == pytest.approx((ratio / np.maximum.accumulate(ratio) - 1).min())
    holed = level.copy()
    holed[first + 5] = np.nan
    gap = replace(window, universe=replace(window.universe, index_close={INDEX: holed}))
    assert weekly_groups(gap, "all", marks, 3, INDEX, PRESETS["study_b"]).benchmark == EQUAL_WEIGHT


@pytest.mark.parametrize("field", ["float_mv", "total_mv"])
def test_without_the_index_the_top_group_stands_against_the_universe_by_market_value_too(market, scores, field):
    """Kept by hand: the enterable names in parts of their market value at the signal's close, drifting in between."""
    panel = market.panel
    rng = np.random.default_rng(5)
    cap = np.exp(rng.normal(23.0, 1.0, panel.shape[1])) * np.exp(rng.normal(0.0, 0.05, panel.shape))
    cap[:, 7] = np.nan
    fields = {**panel.fields, field: cap.astype(np.float32)}
    if field == "float_mv":
        fields["total_mv"] = np.full(panel.shape, 1e9, np.float32)
    market = replace(market, panel=replace(panel, fields=fields))
    window = window_of(market, scores)
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    result = weekly_groups(window, "all", marks, 4, "no index", PRESETS["study_b"])
    end = len(panel.dates) - 1
    _, everyone = plan_groups(market, scores.values, market.eligible, 4, end)
    book, nav, lacking = Book(market, "close"), [], 0
    for t in range(min(everyone), end + 1):
        nav.append(book.advance(t) if nav else 1.0)
        if t in everyone:
            known = {j: float(fields[field][t - 1, j]) for j in everyone[t] if np.isfinite(fields[field][t - 1, j])}
            lacking += len(everyone[t]) - len(known)
            stuck = {j: v for j, v in book.value.items() if not book.sellable(t, j)}
            free = nav[-1] - sum(stuck.values())
            book.value = stuck | {j: free * value / sum(known.values()) for j, value in known.items()}
            book.mark = {j: book.adjusted(t, j) if book.trades(t, j) else book.mark[j] for j in book.value}
    np.testing.assert_allclose(result.cap_weight_nav, nav, rtol=1e-9)
    assert result.counts["cap_weight_without_market_value"] == lacking > 0
    record = result.record()
    also, years = record["also"]["cap_weight"], (len(result.dates) - 1) / 252
    assert (record["benchmark"], also["weighted_by"]) == (EQUAL_WEIGHT, field)
    ratio = result.nav[:, -1] / np.array(nav)
    assert also["annual_excess"] == pytest.approx(ratio[-1] ** (1 / years) - 1)
    assert also["annual_excess"] != pytest.approx(record["top"]["annual_excess"], abs=1e-3)
    assert np.prod([1 + entry["excess"] for entry in also["by_year"].values()]) == pytest.approx(ratio[-1])
    assert also["excess_max_drawdown"] == pytest.approx((ratio / np.maximum.accumulate(ratio) - 1).min())


def test_sharpe_and_turnover_of_a_year_are_those_of_its_own_days(market, scores):
    window = window_of(market, scores)
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    result = weekly_groups(window, "all", marks, 3, INDEX, PRESETS["study_b"])
    assert len(result.rebalances) == len(result.turnover)
    assert np.isin(result.rebalances, result.dates[1:]).all()
    by_year = result.record()["by_year"]
    years = result.dates.astype("datetime64[Y]").astype(str)
    top = result.nav[:, -1]
    returns = np.diff(top, prepend=1.0) / np.concatenate(([1.0], top[:-1]))  # the first day's is its own value less 1
    for year, entry in by_year.items():
        own = returns[years == year]
        assert entry["sharpe"] == pytest.approx(own.mean() / own.std(ddof=1) * 252**0.5)
        inside = result.rebalances.astype("datetime64[Y]").astype(str) == year
        assert entry["turnover_one_sided"] == pytest.approx(result.turnover[inside].mean())
    both = sum(entry["turnover_one_sided"] * (result.rebalances.astype("datetime64[Y]").astype(str) == year).sum()
               for year, entry in by_year.items())  # fmt: skip
    assert both == pytest.approx(result.turnover.sum())


def test_too_few_names_form_no_groups_and_are_counted(market, scores):
    window = window_of(market, scores)
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    result = weekly_groups(window, "all", marks, 31, "none", PRESETS["study_b"])
    assert result.counts["rebalances_with_too_few_names"] == len(
        week_end_rows(market.panel.dates, market.universe.next_date)
    )
    assert result.nav.shape == (0, 31)
    assert result.record()["top"] is None
    assert result.record()["reason"] == "too_few_names"


@pytest.mark.parametrize(("convention", "delay", "price"), [("t0_close", 0, "close"), ("t1_vwap", 1, "vwap")])
@pytest.mark.parametrize("step", [5, 7])
def test_tops_are_those_kept_by_hand(market, scores, convention, delay, price, step):
    window = window_of(market, scores)
    end = len(market.panel.dates) - 1
    marks = Marks.of(window.panel, window.universe, price, delist_haircut=HAIRCUT)
    definitions = PRESETS["study_a"]
    names = market.eligible[:, window.columns]
    tops = top_portfolios(window, names, marks, convention, step, ("top10pct", "top100"), COST, definitions)
    book, plans, everyone = Book(market, price), {"top10pct": {}, "top100": {}}, {}
    for signal in range(0, end + 1, step):
        t = signal + delay
        if t >= end:
            continue
        there = [j for j in np.flatnonzero(market.eligible[signal]) if book.enterable(t, j)]
        scored = {j: scores.values[signal, j] for j in there if np.isfinite(scores.values[signal, j])}
        everyone[t] = dict.fromkeys(there, 1.0)
        for name, size in (("top10pct", max(1, len(scored) // 10)), ("top100", 100)):
            (plans[name][t],) = shared_by_hand(scored, 1, lambda k, m, size=size: 0 if k >= m - size else -1)
    benchmark, _, _ = keep_books(market, price, everyone, end)
    for top in tops:
        nav, turnover, _ = keep_books(market, price, plans[top.name], end)
        np.testing.assert_allclose(top.gross, nav, rtol=1e-12)
        np.testing.assert_allclose(top.traded, turnover, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(top.benchmark_nav, benchmark, rtol=1e-12)
        first = min(plans[top.name])
        net = nav.copy()
        for t, traded in zip(sorted(plans[top.name]), turnover, strict=True):
            net[t - first :] *= 1 - COST * traded
        np.testing.assert_allclose(top.net, net, rtol=1e-12)
        record = top.record()
        years = float((top.dates[-1] - top.dates[0]).astype(int)) / 365
        assert record["gross"] == pytest.approx(nav[-1] ** (1 / years) - benchmark[-1] ** (1 / years))
        assert record["net"] == pytest.approx(net[-1] ** (1 / years) - benchmark[-1] ** (1 / years))
        assert record["turnover_two_sided"] == pytest.approx(turnover[1:].sum() / years)
    assert tops[0].counts["rebalances_with_fewer_than_100_names"] == len(everyone)


def test_offsets_are_the_same_portfolio_started_later(market, scores):
    """Each start is the test of the factor without its first days; the record shows their mean, least and most."""
    settings = TestSettings(
        universes=("all",), horizons=(5,), decay=0, min_names=5, groups={}, other_groups=0, tops=("top10pct",),
        top_every=(4,), top_conventions=("t1_vwap",), top_offsets=True,
    )  # fmt: skip

    def test_of(values, **changes):
        changed = settings.model_copy(update=changes)
        (top,) = factor_test.test_factor(
            market.scores(values), market.panel, market.universe, changed, eligible=market.eligible
        ).tops
        return top

    found = test_of(scores.values)
    assert len(found.offsets) == 4
    excess = []
    for start, one in enumerate(found.offsets):
        later = np.where(np.arange(len(scores.values))[:, None] < start, np.nan, scores.values)
        alone = test_of(later, top_offsets=False)
        np.testing.assert_allclose(one.net, alone.net, rtol=1e-12)
        excess.append(alone.record()["net"])
    record = found.record()
    assert record["offsets"]["n"] == 4
    assert record["offsets"]["net"]["annual_excess"] == pytest.approx(np.mean(excess))
    assert record["offsets"]["net"]["min_excess"] == pytest.approx(min(excess))
    assert record["offsets"]["net"]["max_excess"] == pytest.approx(max(excess))
    assert record["net"] == pytest.approx(excess[0])
    assert alone.record()["offsets"] is None


def test_a_delisting_settles_at_the_haircut_and_leaves_at_the_next_rebalance(market, scores):
    values = np.full(market.panel.shape, np.nan)
    values[:, DELISTED] = 1.0
    values[:, ENDED] = 0.0
    window = window_of(market, market.scores(values))
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    column = int(np.flatnonzero(window.columns == DELISTED)[0])
    gone = len(market.panel.dates) * 2 // 3
    assert marks.prices[gone, column] == pytest.approx(0.7 * marks.prices[gone - 1, column])
    assert marks.prices[-1, column] == marks.prices[gone, column]
    assert not marks.sellable[gone - 1, column]
    assert marks.sellable[gone, column]
    ended = int(np.flatnonzero(window.columns == ENDED)[0])
    assert not marks.sellable[-1, ended]
    assert np.isfinite(marks.prices[-1, ended])


def test_group_sizes_differ_by_at_most_one():
    rng = np.random.default_rng(0)
    for n in range(5, 40):
        sizes = np.bincount(numbers(assign_groups(rng.standard_normal(n), 5), n), minlength=5)
        assert sizes.max() - sizes.min() <= 1


def test_equals_across_an_edge_are_shared():
    """Three groups of 3, 2 and 2 places: the five ones have places 1 to 5, of which 2, 2 and 1 lie in the groups."""
    score = np.array([1.0, np.nan, 0.0, 1.0, 1.0, 2.0, 1.0, 1.0])
    members = assign_groups(score, 3)
    one = [0.4, 0.4, 0.2]
    np.testing.assert_allclose(table(members, 3, 8).T, [one, [0] * 3, [1, 0, 0], one, one, [0, 0, 1], one, one])
    assert (members.scored, members.shared, members.cut.tolist()) == (7, 5, [True, True])


def test_equals_within_a_group_are_not_shared():
    members = assign_groups(np.array([1.0, 1.0, 2.0, 2.0]), 2)
    np.testing.assert_array_equal(numbers(members, 4), [0, 0, 1, 1])
    assert (members.shared, members.cut.any()) == (0, False)


def test_best_takes_the_highest_and_shares_equals_at_the_edge():
    score = np.array([3.0, np.nan, 1.0, 3.0, 2.0, 3.0])
    members = best(score, [2, 3, 4, 100])
    two, three = [2 / 3, 0, 0, 2 / 3, 0, 2 / 3], [1, 0, 0, 1, 0, 1]
    np.testing.assert_allclose(table(members, 4, 6), [two, three, [1, 0, 0, 1, 1, 1], [1, 0, 1, 1, 1, 1]])
    assert (members.scored, members.shared, members.cut.tolist()) == (5, 3, [True, False, False, False])
    assert [portfolio_size("top10pct", n) for n in (3, 19, 20, 4000)] == [1, 1, 2, 400]
    assert [portfolio_size("top100", n) for n in (3, 4000)] == [3, 100]


def test_scores_without_any_difference_form_nothing_and_say_why(market):
    values = np.where(np.isfinite(market.panel["close"]), 0.1, np.nan)
    settings = TestSettings(
        universes=("all",), horizons=(2,), decay=0, min_names=5, groups={"all": 5}, tops=("top10pct", "top100"),
        top_every=(5,), top_conventions=("t1_vwap",),
    )  # fmt: skip
    found = factor_test.test_factor(
        market.scores(values), market.panel, market.universe, settings, eligible=market.eligible
    ).to_json_dict()
    (group,), tops = found["groups"], found["top_n"]
    assert (group["reason"], group["top"], group["by_year"]) == ("equal_scores", None, {})
    assert group["annual_return"] == [None] * 5
    assert [(top["reason"], top["gross"], top["net"]) for top in tops] == [("equal_scores", None, None)] * 2
    assert found["dropped"]["groups.all.rebalances_with_equal_scores"] > 10
    assert all(leg["long_excess"] is None and leg["short_excess"] is None for leg in found["long_leg"])
    assert all(record["rank_ic"]["mean"] is None for record in found["records"])


def test_a_day_without_any_difference_keeps_what_was_held(market, scores):
    """As a day with too few names does."""
    window = window_of(market, scores)
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    flat = window.scores.copy()
    at = np.flatnonzero(window.universe.week_ends()[: len(flat)])[4]
    flat[at] = np.where(np.isfinite(flat[at]), 7.0, np.nan)
    some = weekly_groups(replace(window, scores=flat), "all", marks, 3, "none", PRESETS["study_b"])
    every = weekly_groups(window, "all", marks, 3, "none", PRESETS["study_b"])
    assert some.counts["rebalances_with_equal_scores"] == 1
    assert len(some.turnover) == len(every.turnover) - 1
    assert window.dates[at + 1] not in some.rebalances
