"""`day_features`: what trees read of the scored day, missing as the middle; shared with who has computed it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.core.kind import Kind
from deepfactor.features import alpha, hand_features
from deepfactor.inputs import day_features
from deepfactor.inputs.base import ROOM, rows_back
from deepfactor.inputs.day_features import DayFeatures
from deepfactor.inputs.standardising import zscored
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.training.baseline import features_of
from deepfactor.training.data import TrainingData
from deepfactor.training.samples import Sampler, shapes_of
from deepfactor.training.stored import StoredInputs, open_inputs, prepare_input
from support.parts import company_market
from support.training import training_of

Market = tuple[Panel, Universe]


@pytest.fixture(scope="module")
def market() -> Market:
    return company_market(days=90, stocks=30)


def made(kind: str, panel: Panel, universe: Universe) -> DayFeatures:
    chosen = ROOM.choose(Kind(kind="day_features", features={"kind": kind}))
    return chosen.part.prepare(chosen.settings, panel, universe, np.ones(panel.shape, np.bool_))


@pytest.fixture(scope="module")
def of_alpha(market: Market) -> DayFeatures:
    return made("alpha", *market)


def test_codes_are_read_as_what_they_stand_for() -> None:
    codes = np.array([[[0, 1], [128, 255], [7, 0]]], np.uint8)
    found = DayFeatures(("a", "b"), codes).day(0, np.array([0, 1]), np.zeros(2))["day_features"]
    most = (254.5 / 255 - 0.5) * np.sqrt(12)
    np.testing.assert_allclose(found, [[0.0, -most], [0.0, most]], atol=1e-6)
    assert found.dtype == np.float32


def test_it_is_what_trees_read(market: Market, of_alpha: DayFeatures) -> None:
    """The same numbers as an arm on `alpha` without a network is fitted on."""
    data = training_of(*market)
    trees = replace(data, features=alpha.compute(alpha.Settings(), *market), window=1)
    sampler = Sampler(replace(data, inputs=StoredInputs({"day_features": of_alpha}, {})))
    assert shapes_of(sampler.data)["day_features"] == len(trees.features.names) > 100
    same = [t for t in range(40, 90) if np.array_equal(data.stocks(t), trees.stocks(t))]
    assert len(same) > 30
    for t in same:
        _, wanted = features_of(Sampler(trees), t)
        found = sampler.cross_section(t, frozenset({"windows", "day_features"}))["day_features"].numpy()
        np.testing.assert_array_equal(found, wanted)
        assert (found == 0).any()


def test_other_sets_are_standardised_over_the_batch(market: Market) -> None:
    held, stocks = made("hand_features", *market), np.arange(3, 21)
    found = held.day(80, stocks, np.zeros(18))["day_features"]
    np.testing.assert_array_equal(found, zscored(np.ascontiguousarray(held.values[80, stocks].T)).T)
    assert np.isfinite(found).all()
    assert held.names == hand_features.NAMES


@pytest.mark.parametrize(("kind", "levels"), [("price_volume", "price and a volume"), ("daily_set", "price")])
def test_levels_are_refused(kind: str, levels: str, market: Market) -> None:
    with pytest.raises(DataError, match=f"{kind} has the level of a {levels}"):
        made(kind, *market)


def test_a_market_without_turnover_says_so(market: Market) -> None:
    panel, universe = market
    fields = {name: values for name, values in panel.fields.items() if name != "turnover"}
    with pytest.raises(DataError, match="this market has no turnover"):
        made("alpha", replace(panel, fields=fields), universe)


def test_it_reads_as_far_back_as_its_set_others_as_far_as_there_is() -> None:
    assert rows_back(ROOM.choose("day_features")) == alpha.rows_back(alpha.Settings())
    assert rows_back(ROOM.choose("size_rank")) == 0
    assert rows_back(ROOM.choose("fundamentals")) is None


def test_the_key_says_the_set() -> None:
    def identity(**features: object) -> dict[str, object]:
        return ROOM.choose(Kind(kind="day_features", features=features)).settings.identity()

    assert identity(kind="alpha") == identity(kind="alpha", window=5) == {"kind": "alpha"}
    assert ROOM.choose("day_features").settings.identity() == {"kind": "alpha"}
    assert identity(kind="hand_features") == {"kind": "hand_features"}


def test_a_file_that_another_has_is_shared(of_alpha: DayFeatures, tmp_path: Path) -> None:
    first = prepare_input(tmp_path / "a", "day_features", {}, lambda: of_alpha) / "values.npy"
    folder = prepare_input(tmp_path / "b", "day_features", {}, lambda: of_alpha, same={"values": first})
    assert (folder / "values.npy").samefile(first)
    opened = open_inputs({"day_features": folder})
    np.testing.assert_array_equal(opened.held["day_features"].values, of_alpha.values)
    assert opened.nbytes == of_alpha.values.nbytes
    assert opened.between(slice(10, 30)).nbytes == of_alpha.values[10:30].nbytes


def test_a_day_alone_has_the_bits_of_the_panel(market: Market, of_alpha: DayFeatures) -> None:
    """An evening makes it of a window's past."""
    panel, universe = market
    alone = made("alpha", panel.between(0, 61), universe.between(0, 61))
    stocks = np.arange(30)
    for t in (40, 60):
        one, other = (held.day(t, stocks, np.zeros(30))["day_features"] for held in (alone, of_alpha))
        np.testing.assert_array_equal(one, other)


def test_the_fingerprint_is_of_values_and_names(of_alpha: DayFeatures) -> None:
    columns, symbols = np.arange(20), np.array([f"{k:06d}.SZ" for k in range(30)])
    first = of_alpha.fingerprint(range(40, 60), columns, symbols)
    codes = of_alpha.values.copy()
    codes[:, 25:] += 1  # others
    codes[70:] += 1  # later
    assert replace(of_alpha, values=codes).fingerprint(range(40, 60), columns, symbols) == first
    codes[50, 3, 0] += 1
    assert replace(of_alpha, values=codes).fingerprint(range(40, 60), columns, symbols) != first
    assert replace(of_alpha, names=of_alpha.names[::-1]).fingerprint(range(40, 60), columns, symbols) != first


def test_no_day_of_training_data_is_missing(market: Market, of_alpha: DayFeatures) -> None:
    data: TrainingData = training_of(*market)
    with pytest.raises(DataError, match="input day_features of the training arrays has 50 days, the market 90"):
        replace(data, inputs=StoredInputs({"day_features": of_alpha.between(slice(0, 50))}, {}))
    assert day_features.HELD is DayFeatures
