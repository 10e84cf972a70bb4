"""Windows, ranks and targets of a day against plain indexing, scipy and pandas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import rankdata, spearmanr

from deepfactor.core.errors import DataError
from deepfactor.cross_section.correlation import spearman
from deepfactor.cross_section.ranks import average_rank, position_rank
from deepfactor.training.data import open_data, prepare_data
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.scalings import last_close
from deepfactor.training.scalings.standardising import apply
from support.training import toy_training

BOTH = frozenset({"windows", "size_rank"})


@pytest.mark.parametrize("t", [5, 8, 30, 79])
def test_a_cross_section_is_its_days_window(t: int) -> None:
    data = toy_training()
    stocks = data.stocks(t)
    padded = np.concatenate([np.full((data.window, *data.features.values.shape[1:]), np.nan), data.features.values])
    x = np.ascontiguousarray(padded[t + 1 : t + 1 + data.window][:, stocks], np.float32)
    wanted = torch.tensor(x)
    apply(wanted, last_close.standard(last_close.Settings(), data.features, x))
    batch = Sampler(data).cross_section(t, BOTH)
    assert batch.windows.shape == (data.window, len(stocks), 6)
    assert batch.windows.is_contiguous()
    assert torch.isfinite(batch.windows).all()
    assert torch.equal(batch.windows, wanted)


def test_a_day_is_the_same_whatever_came_before_it() -> None:
    data = toy_training()
    used, fresh = Sampler(data), Sampler(data)
    for t in (60, 20, 33, 20):
        used.cross_section(t, BOTH)
    again = used.cross_section(40, BOTH)
    wanted = fresh.cross_section(40, BOTH)
    assert torch.equal(again.windows, wanted.windows)
    assert torch.equal(again["size_rank"], wanted["size_rank"])


def test_size_rank_only_where_asked_for() -> None:
    assert Sampler(toy_training()).cross_section(20, frozenset({"windows"})).inputs == {}


def test_size_rank_breaks_ties_by_order() -> None:
    assert position_rank(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2, 0, 3, 1]


def test_who_is_in_the_batch_and_who_is_labelled() -> None:
    data = toy_training()
    out = data.left_out(range(10, 70), min_stocks=1000)
    assert out["no_size_or_close"] == (data.eligible & ~np.isfinite(data.size))[10:70].sum() > 0
    assert out["entry_not_tradeable"] > 0
    assert out["days_below_min_stocks"] == 60
    assert data.left_out(range(10, 70), min_stocks=2)["days_below_min_stocks"] == 0
    for t in range(10, 70):
        stocks = data.stocks(t)
        assert set(stocks) == set(np.flatnonzero(data.eligible[t] & np.isfinite(data.size[t])))
        labelled = stocks[data.labelled(t, stocks)]
        assert set(labelled) == {i for i in stocks if data.entry_ok[t, i] and np.isfinite(data.label[t, i])}


def test_rank_target() -> None:
    label = np.array([0.1, -0.2, 0.1, 0.5, 0.0])
    wanted = ((pd.Series(label).rank() - 0.5) / 5 - 0.5) * np.sqrt(12)
    got = standardise(label, "rank")
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert got.dtype == np.float32
    many = standardise(np.random.default_rng(0).standard_normal(2000), "rank")
    assert many.mean() == pytest.approx(0, abs=1e-6)
    assert many.std() == pytest.approx(1, abs=1e-5)


def test_zscore_target_is_clipped() -> None:
    label = np.r_[np.random.default_rng(0).standard_normal(500), 40.0]
    wanted = ((label - label.mean()) / label.std()).clip(-3, 3)
    np.testing.assert_allclose(standardise(label, "zscore"), wanted, rtol=1e-6)
    assert standardise(label, "zscore").max() == 3
    assert standardise(np.ones(4), "zscore").tolist() == [0, 0, 0, 0]


def test_ranks_and_rank_ic_like_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 20, 100).astype(float), rng.standard_normal(100)
    np.testing.assert_array_equal(average_rank(x), rankdata(x))
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, rel=1e-12)
    assert spearman(np.ones(100), y) == 0


def test_arrays_on_disk_are_the_arrays(tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = toy_training()
    folder = prepare_data(tmp_path, "k", lambda: data)
    assert prepare_data(tmp_path, "k", lambda: pytest.fail("built twice")) == folder
    opened = open_data(folder)
    for name in ("dates", "symbols", "label", "eligible", "size", "entry_ok"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(data, name))
    np.testing.assert_array_equal(opened.features.values, data.features.values)
    assert (opened.features.names, opened.features.roles) == (data.features.names, data.features.roles)
    assert opened.window == data.window
    with pytest.raises(ValueError, match="read-only"):
        opened.label[0, 0] = 1


def test_half_written_arrays_are_written_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = toy_training()
    folder = prepare_data(tmp_path, "k", lambda: data)
    (folder / "inputs.json").unlink()
    (folder / "label.npy").write_bytes(b"half")
    with pytest.raises(DataError, match=r"damaged training arrays .*inputs.json is missing, label.npy does not hold"):
        open_data(folder)
    prepare_data(tmp_path, "k", lambda: data)
    np.testing.assert_array_equal(open_data(folder).label, data.label)


def test_wrong_shapes_are_refused() -> None:
    data = toy_training()
    with pytest.raises(DataError, match="label"):
        replace(data, label=data.label[:, 1:])


def test_fingerprint_reads_what_a_fold_reads() -> None:
    data = toy_training()
    read, labelled = range(10, 60), (range(18, 40), range(43, 50))
    base = data.fingerprint(read, labelled)

    def changed(name: str, row: int) -> str:
        array = getattr(data, name).copy()
        column = data.stocks(row)[0]
        array[row, column] = ~array[row, column] if array.dtype == bool else 9.0
        return replace(data, **{name: array}).fingerprint(read, labelled)

    assert changed("label", 20) != base
    assert changed("label", 45) != base
    assert changed("label", 41) == base  # purged
    assert changed("label", 55) == base  # test span
    assert changed("entry_ok", 20) != base
    assert changed("size", 55) != base
    assert changed("size", 65) == base
    assert changed("eligible", 30) != base
    values = data.features.values.copy()
    values[15, data.stocks(15)[0], 0] = 1
    assert replace(data, features=replace(data.features, values=values)).fingerprint(read, labelled) != base


def test_a_later_listing_leaves_the_fingerprint_alone() -> None:
    data = toy_training()

    def wider(array: np.ndarray, fill: object) -> np.ndarray:
        return np.concatenate([array, np.full((len(array), 1, *array.shape[2:]), fill, array.dtype)], axis=1)

    later = replace(
        data,
        symbols=np.append(data.symbols, "600999.SH"),
        features=replace(data.features, values=wider(data.features.values, np.nan)),
        label=wider(data.label, np.nan),
        eligible=wider(data.eligible, False),
        size=wider(data.size, np.nan),
        entry_ok=wider(data.entry_ok, False),
    )
    assert later.fingerprint(range(10, 60), (range(18, 40),)) == data.fingerprint(range(10, 60), (range(18, 40),))
