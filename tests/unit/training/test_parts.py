"""Quarters, graphs and exposures: on disk, in keys, and in a day's batch, against plain loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfactor.core.errors import DataError
from deepfactor.core.kind import Kind, load_kind
from deepfactor.features import price_volume
from deepfactor.graphs.base import rebuilt, within
from deepfactor.inputs import exposures
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe, UniverseRule
from deepfactor.runs.edges import write_edges
from deepfactor.training.arms import Arm
from deepfactor.training.data import Arrays, TrainingData, open_data, prepare_data
from deepfactor.training.engine import run_jobs
from deepfactor.training.jobs import Job, is_done, plan_jobs
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, shapes_of
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.stored import StoredInputs, open_inputs, prepare_input
from support.parts import all_parts, company_market, graph_of, other

RULE = UniverseRule(window=20, min_observed=10)
FOLD = Fold("toy", range(20, 60), range(63, 80), range(83, 100))
ARMS = (
    Arm(name="plain", model=Kind(kind="gru", hidden=4)),  # type: ignore[call-arg]
    Arm(name="quarters", model=Kind(kind="fundamental_gru", hidden=4)),  # type: ignore[call-arg]
    Arm(
        name="related",
        model=Kind(kind="bi_agru_gat", hidden=4, layers=1, heads=1, head_size=4),  # type: ignore[call-arg]
        graph=Kind(kind="fundamental", k=4),  # type: ignore[call-arg]
    ),
    Arm(name="freed", model=Kind(kind="bi_agru", hidden=4, layers=1, orthogonal=True, project=("industry", "value"))),  # type: ignore[call-arg]
)
READS = {"plain": (), "quarters": ("fundamentals",), "related": ("neighbours",), "freed": ("exposures",)}

Market = tuple[Panel, Universe]


@pytest.fixture(scope="module")
def market() -> Market:
    return company_market(days=120, stocks=80)


def training_data(market: Market) -> TrainingData:
    panel, universe = market
    eligible = universe.eligible(RULE)
    rng = np.random.default_rng(0)
    return TrainingData(
        dates=panel.dates,
        symbols=panel.symbols,
        features=price_volume.compute(price_volume.Settings(window=6), panel, universe),
        label=rng.standard_normal(panel.shape),
        eligible=eligible,
        size=np.log(panel.market_cap("float").astype(np.float64)),
        entry_ok=np.ones(panel.shape, dtype=bool),
        window=6,
        inputs=all_parts(panel, universe, eligible),
    )


@pytest.fixture(scope="module")
def data(market: Market) -> TrainingData:
    return training_data(market)


FOLDERS = {"fundamentals": "fundamentals", "neighbours": "graph", "exposures": "exposures"}


def only(stored: StoredInputs, *names: str) -> StoredInputs:
    content = {FOLDERS[name]: stored.content[FOLDERS[name]] for name in names}
    return StoredInputs({name: stored.held[name] for name in names}, content)


def planned(data: TrainingData, fold: Fold = FOLD) -> dict[str, Job]:
    own = {name: only(data.inputs, *read) for name, read in READS.items()}
    base = replace(data, inputs=StoredInputs())
    fit = Fit(epochs=1, seeds=(0,), min_stocks=5)
    plan = Plan(first_test=2019, every=10, valid_every=5)
    return {j.arm.name: j for j in plan_jobs(base, ARMS, [fold], plan, fit, inputs={"x": 1}, label={}, stored=own)}


def stored(data: TrainingData, jobs: Path) -> dict[str, Arrays]:
    base = prepare_data(jobs, "toy", lambda: replace(data, inputs=StoredInputs()))
    made = {
        name: prepare_input(base, name, data.inputs.content[folder], lambda name=name: data.inputs.held[name])
        for name, folder in FOLDERS.items()
    }
    return {arm: Arrays(base, {name: made[name] for name in read}) for arm, read in READS.items()}


def test_parts_come_back_as_they_were(data: TrainingData, tmp_path: Path) -> None:
    folders: Mapping[str, Path] = {k: v for one in stored(data, tmp_path).values() for k, v in one.inputs.items()}
    opened = open_inputs(folders)
    assert opened.content == data.inputs.content
    for name in FOLDERS:
        ours, theirs = data.inputs.held[name], opened.held[name]
        for one in fields(ours):
            np.testing.assert_array_equal(getattr(theirs, one.name), getattr(ours, one.name))
        assert type(theirs) is type(ours)
    assert not opened.held["neighbours"].neighbour.flags.owndata, "memory-mapped"

    def never() -> None:
        raise AssertionError("made twice")

    for name, folder in folders.items():
        assert prepare_input(folder.parent, name, data.inputs.content[FOLDERS[name]], never) == folder  # type: ignore[arg-type]
    (folders["neighbours"] / "neighbour.npy").write_bytes(b"half")
    with pytest.raises(DataError, match=r"damaged arrays .*neighbour.npy does not hold"):
        open_inputs(folders)
    said: list[str] = []
    graph = data.inputs.held["neighbours"]
    prepare_input(folders["neighbours"].parent, "neighbours", data.inputs.content["graph"], lambda: graph, said.append)
    assert "neighbour.npy" in said[0]
    assert "made again" in said[0]
    assert open_inputs(folders).content == data.inputs.content


def test_a_part_of_other_days_is_refused(data: TrainingData) -> None:
    cut = data.between(0, 50)
    assert set(cut.inputs.days().values()) == {50}
    with pytest.raises(DataError, match="input fundamentals of the training arrays has 50 days, the market 120"):
        replace(data, inputs=only(cut.inputs, "fundamentals"))


def test_quarters_of_a_batch(data: TrainingData) -> None:
    """Clipped and z-scored over the batch by numpy's own medians; masks and the loss behind."""
    quarters = data.inputs.held["fundamentals"]
    k = len(quarters.names)
    assert shapes_of(data)["fundamentals"] == 2 * k + 1
    assert shapes_of(data)["quarters"] == 12
    for t in (12, 60, 119):
        stocks = data.stocks(t)
        found = Sampler(data).cross_section(t, frozenset({"fundamentals"}))["fundamentals"]
        x, loss = quarters.at(t, stocks)
        wanted = np.zeros_like(x)
        for q in range(12):
            for i in range(k):
                known = np.isfinite(x[q, :, i])
                value = x[q, known, i].astype(np.float64)
                if not len(value):
                    continue
                median = np.median(value)
                reach = 5 * 1.4826 * np.median(np.abs(value - median))
                if reach > 0:
                    value = np.clip(value, median - reach, median + reach)
                if value.std() > 1e-6:
                    wanted[q, known, i] = (value - value.mean()) / value.std()
        assert (wanted != 0).mean() > 0.3
        np.testing.assert_allclose(found[:, :, :k], wanted, rtol=2e-3, atol=2e-3)
        np.testing.assert_array_equal(found[:, :, k:-1], np.isfinite(x))
        np.testing.assert_array_equal(found[:, :, -1], loss)


def test_exposures_of_a_batch(market: Market, data: TrainingData) -> None:
    panel, universe = market
    assert panel.fundamentals is not None
    t = 90
    stocks = data.stocks(t)
    found = Sampler(data).cross_section(t, frozenset({"exposures"}))["exposures"]
    assert found.shape == (len(stocks), shapes_of(data)["exposures"]) == (len(stocks), 3 + 2)
    industry = universe.industry[t, stocks]
    assert (industry < 0).any()
    for i in range(3):
        np.testing.assert_array_equal(found[:, i], industry == i)
    bp = panel.fundamentals.in_force("total_equity")[t, stocks] / panel["total_mv"][t, stocks]
    known = np.isfinite(bp)
    assert 0 < known.sum() < len(stocks)
    assert (found[~known, 4] == 0).all()
    for column, raw in ((found[:, 3], data.size[t, stocks]), (found[known, 4], bp[known])):
        assert float(column.mean()) == pytest.approx(0, abs=1e-5)
        assert float(column.std(unbiased=False)) == pytest.approx(1, abs=1e-4)
        assert (torch.diff(column[np.argsort(raw)]) >= 0).all()
    with pytest.raises(DataError, match="total_equity"):
        exposures.prepare(exposures.Settings(), replace(panel, fundamentals=None), universe, data.eligible)


@pytest.mark.parametrize("kind", ["fundamental", "industry", "random", "full"])
def test_neighbours_are_those_of_the_months_graph(kind: str, market: Market, data: TrainingData) -> None:
    """A day's edges, against the kind asked for that month's stocks and its part for the batch."""
    panel, universe = market
    graph = graph_of(panel, universe, data.eligible, kind)
    module = load_kind("deepfactor.graphs", kind)
    changes = 0
    for t in range(15, 120, 3):
        stocks, at = data.stocks(t), rebuilt(universe, t)
        found = graph.at(t, stocks)
        assert (found.neighbour[:, 0] == np.arange(len(stocks))).all()
        if at is None:
            assert found.neighbour.shape == (len(stocks), 1)
            continue
        before = rebuilt(universe, at - 1)
        columns = np.flatnonzero(data.eligible[0 if before is None else before + 1 : at + 1].any(axis=0))
        edges = module.edges(module.Settings(), panel, universe, at, columns)
        inside = np.isin(stocks, columns)
        wanted = within(edges, columns, stocks[inside])
        width = int((wanted.neighbour >= 0).sum(axis=1).max())
        np.testing.assert_array_equal(
            np.pad(found.neighbour[inside], ((0, 0), (0, width - found.neighbour.shape[1])), constant_values=-1),
            np.where(wanted.neighbour < 0, -1, np.flatnonzero(inside)[wanted.neighbour])[:, :width],
        )
        np.testing.assert_array_equal(found.similarity[inside], wanted.similarity[:, : found.similarity.shape[1]])
        alone = found.neighbour[~inside]
        assert (alone[:, 1:] == -1).all()
        changes += not inside.all()
    assert changes, "somebody came back in the middle of a month"


def test_the_key_names_what_a_fold_reads(data: TrainingData) -> None:
    jobs = planned(data)
    assert "parts" not in jobs["plain"].identity
    assert jobs["plain"].identity["inputs"] == {"x": 1}
    assert jobs["related"].identity["inputs"] == {"x": 1, "graph": {"kind": "fundamental", "k": 4}}
    assert {name: list(job.identity.get("parts", {})) for name, job in jobs.items()} == {
        name: [FOLDERS[one] for one in read] for name, read in READS.items()
    }
    assert "graph" not in jobs["related"].identity["arm"], "twins on two graphs start from the same weights"


def changed(data: TrainingData, name: str, t: int) -> TrainingData:
    """Something of a part is otherwise on row t."""
    held = data.inputs.held
    stock = data.stocks(t)[0]
    if name == "fundamentals":
        value = held[name].value.copy()
        value[t, stock] *= 2
        return replace(data, inputs=other(data.inputs, name, value=value))
    if name == "exposures":
        bp = held[name].bp.copy()
        bp[t, stock] = 77
        return replace(data, inputs=other(data.inputs, name, bp=bp))
    graph = held[name]
    similarity = graph.similarity.copy()
    similarity[graph.starts[graph.month[t], stock]] = 0.5
    return replace(data, inputs=other(data.inputs, name, similarity=similarity))


@pytest.mark.parametrize(
    ("arm", "name"), [("quarters", "fundamentals"), ("related", "neighbours"), ("freed", "exposures")]
)
def test_a_change_makes_old_what_reads_it_and_nothing_else(arm: str, name: str, data: TrainingData) -> None:
    before, inside, after = planned(data), planned(changed(data, name, 70)), planned(changed(data, name, 119))
    assert {arm: job.key for arm, job in after.items()} == {arm: job.key for arm, job in before.items()}
    assert {one for one in before if inside[one].key != before[one].key} == {arm}


def test_a_day_and_a_stock_more_leave_earlier_folds_their_key(market: Market, data: TrainingData) -> None:
    panel, universe = market
    before = training_data((panel.until(110), universe.until(110)))
    assert {k: j.key for k, j in planned(before).items()} == {k: j.key for k, j in planned(data).items()}
    changes = data.inputs.held["fundamentals"].change
    assert (changes[99] != changes[60]).any(), "something is published in the fold"


@pytest.mark.slow
def test_jobs_read_their_parts_from_disk(data: TrainingData, tmp_path: Path) -> None:
    jobs = list(planned(data).values())
    run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=0)
    assert all(is_done(tmp_path, job) for job in jobs)
    for job in jobs:
        scores = np.load(tmp_path / job.key / "scores.npy")
        assert np.isfinite(scores).any(axis=1).all()
    windows = open_data(stored(data, tmp_path)["quarters"])
    assert Sampler(windows).cross_section(70, frozenset({"fundamentals"})).windows.shape[0] == 0, "not gathered"


def test_edges_as_a_table(market: Market, data: TrainingData, tmp_path: Path) -> None:
    import polars as pl

    graph = data.inputs.held["neighbours"]
    write_edges(tmp_path / "edges.parquet", graph, data.symbols, range(60, 100))
    table = pl.read_parquet(tmp_path / "edges.parquet")
    assert table.schema == {"date": pl.Date, "symbol": pl.String, "neighbour": pl.String, "similarity": pl.Float32}
    ends = [str(market[1].dates[row]) for row in sorted({rebuilt(market[1], t) for t in range(60, 100)})]
    assert table["date"].cast(pl.String).unique().sort().to_list() == ends
    assert table.filter(pl.col("symbol") == pl.col("neighbour")).is_empty()
    day = table.filter(pl.col("date").cast(pl.String) == ends[-1])
    stocks = data.stocks(99)
    found = graph.at(99, stocks)
    names = data.symbols[stocks]
    rows = {(a, b): s for a, b, s in day.select("symbol", "neighbour", "similarity").iter_rows()}
    compared = 0
    for symbol, index, similarity in zip(names, *found, strict=True):
        for j, s in zip(index[1:], similarity[1:], strict=True):
            if j >= 0:
                assert rows[symbol, names[j]] == s
                compared += 1
    assert compared > 50
