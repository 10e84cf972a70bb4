"""What every input must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepfactor.core.kind import kinds_in
from deepfactor.features import price_volume
from deepfactor.inputs.base import ROOM, Held
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe, UniverseRule
from deepfactor.training.data import TrainingData
from deepfactor.training.samples import Sampler, shapes_of
from deepfactor.training.stored import StoredInputs, open_inputs, prepare_input
from support.law import reads_future
from support.parts import company_market

KINDS = kinds_in("deepfactor.inputs")
KEPT = [name for name in KINDS if ROOM.load(name).KEPT]
RULE = UniverseRule(window=9, min_observed=5)
LAST = 119

Market = tuple[Panel, Universe]


@pytest.fixture(scope="module")
def market() -> Market:
    return company_market(days=LAST + 1, stocks=40)


def held(name: str, panel: Panel, universe: Universe) -> Held:
    chosen = ROOM.choose(name)
    made: Held = chosen.part.prepare(chosen.settings, panel, universe, universe.eligible(RULE))
    return made


def data_with(name: str, panel: Panel, universe: Universe) -> TrainingData:
    own = {name: held(name, panel, universe)} if ROOM.load(name).KEPT else {}
    return TrainingData(
        dates=panel.dates,
        symbols=panel.symbols,
        features=price_volume.compute(price_volume.Settings(window=5), panel, universe),
        label=np.zeros(panel.shape),
        eligible=universe.eligible(RULE),
        size=np.log(panel.market_cap("float").astype(np.float64)),
        entry_ok=np.ones(panel.shape, dtype=bool),
        window=5,
        inputs=StoredInputs(own, {ROOM.load(key).FOLDER: {} for key in own}),
    )


def day(data: TrainingData, name: str, t: int) -> Mapping[str, torch.Tensor]:
    return Sampler(data).cross_section(t, frozenset({name})).inputs


def test_the_room_is_not_empty() -> None:
    assert {"exposures", "fundamentals", "neighbours", "size_rank"} <= set(KINDS)
    folders = [ROOM.load(name).FOLDER for name in KEPT]
    assert len(set(folders)) == len(folders)


def test_no_two_inputs_give_tensors_or_widths_of_one_name(market: Market) -> None:
    tensors = [name for kind in KINDS for name in day(data_with(kind, *market), kind, 60)]
    assert len(set(tensors)) == len(tensors)
    assert "windows" not in tensors
    widths = [name for kind in KEPT for name in held(kind, *market).widths()]
    assert len(set(widths)) == len(widths)


@pytest.mark.parametrize("name", KINDS)
def test_a_days_batch(name: str, market: Market) -> None:
    """Numbers of the batch's stocks, none missing, the same each time."""
    data = data_with(name, *market)
    assert all(width >= 0 for width in shapes_of(data).widths.values())
    for t in (10, 60, LAST):
        found, again = day(data, name, t), day(data, name, t)
        assert found
        for key, tensor in found.items():
            assert len(data.stocks(t)) in tensor.shape, key
            assert tensor.dtype in (torch.float32, torch.int64), key
            assert torch.isfinite(tensor).all(), key
            assert torch.equal(tensor, again[key])


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_comes_back_from_disk(name: str, market: Market, tmp_path: Path) -> None:
    made = held(name, *market)
    folder = prepare_input(tmp_path, name, {"said": 1}, lambda: made)
    opened = open_inputs({name: folder})
    assert opened.content == {ROOM.load(name).FOLDER: {"said": 1}}
    assert type(opened.held[name]) is type(made) is ROOM.load(name).HELD
    for one in fields(made):  # type: ignore[arg-type]
        np.testing.assert_array_equal(getattr(opened.held[name], one.name), getattr(made, one.name))


@pytest.mark.parametrize("name", KEPT)
def test_some_of_the_days(name: str, market: Market) -> None:
    whole = held(name, *market)
    part = whole.between(slice(40, 90))
    assert (whole.days, part.days) == (LAST + 1, 50)
    stocks, size = np.arange(5, 25), np.linspace(20, 25, 20)
    for t in (40, 89):
        for key, values in whole.day(t, stocks, size).items():
            np.testing.assert_array_equal(part.day(t - 40, stocks, size)[key], values)


@pytest.mark.parametrize("name", KEPT)
def test_days_to_come_leave_the_fingerprint_of_a_fold(name: str, market: Market) -> None:
    """What names a fold's content says the same of a market that ends sooner, and other things of other days."""
    panel, universe = market
    columns = np.arange(30)
    longer, shorter = held(name, *market), held(name, panel.until(100), universe.until(100))
    first = longer.fingerprint(range(20, 80), columns, panel.symbols)
    assert shorter.fingerprint(range(20, 80), columns, panel.symbols) == first
    assert longer.fingerprint(range(20, 100), columns, panel.symbols) != first


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_it_is_known_at_the_close(name: str, market: Market) -> None:
    def batches(panel: Panel, universe: Universe, *, name: str) -> np.ndarray:
        data = data_with(name, panel, universe)
        found: list[Any] = [_padded(data, name, t, panel.shape[1]) for t in range(len(panel.dates))]
        return np.stack(found)

    assert reads_future(partial(batches, name=name), *market, range(24, LAST, 19)) is None


def _padded(data: TrainingData, name: str, t: int, stocks: int) -> np.ndarray:
    """All numbers of a day, in one row as wide on every day; NaN where there are none."""
    row = np.full(stocks * (stocks + 400), np.nan)
    if len(data.stocks(t)):
        numbers = [tensor.numpy().astype(np.float64).ravel() for tensor in day(data, name, t).values()]
        row[: sum(map(len, numbers))] = np.concatenate(numbers)
    return row


def test_a_batch_says_what_it_does_not_hold(market: Market) -> None:
    batch = Sampler(data_with("size_rank", *market)).cross_section(60, frozenset({"windows"}))
    with pytest.raises(ValueError, match="reads size_rank, which this batch doesn't hold"):
        batch["size_rank"]
    assert replace(batch, inputs={"size_rank": torch.arange(3)})["size_rank"].tolist() == [0, 1, 2]
