"""What every weighting kind must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

import json
from types import ModuleType

import numpy as np
import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.training.weightings.base import LabelledRows
from deepfactor.training.weightings.validation import best_round, mean_rank_ic

ROOM = "deepfactor.training.weightings"
DAYS, STOCKS, COLUMNS = 24, 150, 5


@pytest.fixture(params=kinds_in(ROOM))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def table(seed: int, days: int = DAYS) -> LabelledRows:
    """Column 0 works, column 1 works the other way round, the others are noise."""
    rng = np.random.default_rng(seed)
    n = days * STOCKS
    x = rng.standard_normal((n, COLUMNS)).astype(np.float32)
    y = (0.4 * x[:, 0] - 0.3 * x[:, 1] + rng.standard_normal(n)).astype(np.float32)
    return LabelledRows(x, y, np.arange(0, n + 1, STOCKS))


def settings(kind: ModuleType):
    """Small enough leaves for a small table."""
    small = {"min_rows": 20, "min_weight": 20, "rounds": 60, "check_every": 20}
    return kind.Settings(**{k: v for k, v in small.items() if k in kind.Settings.model_fields})


def test_the_room_is_not_empty():
    assert {"ridge", "lightgbm", "xgboost"} <= set(kinds_in(ROOM))


def test_it_finds_what_is_there(kind):
    fitted = kind.fit(settings(kind), table(0), table(1), 0)
    new = table(2)
    assert mean_rank_ic(fitted.predict(new.x), new) > 0.85 * mean_rank_ic(0.4 * new.x[:, 0] - 0.3 * new.x[:, 1], new)
    share = fitted.importance()
    assert share.shape == (COLUMNS,)
    assert share.sum() == pytest.approx(1)
    assert set(np.argsort(-share)[:2]) == {0, 1}


def test_noise_gives_nothing_on_new_days(kind):
    rng = np.random.default_rng(5)
    noise = [LabelledRows(t.x, rng.permutation(t.y), t.starts) for t in (table(0), table(1), table(2, days=100))]
    fitted = kind.fit(settings(kind), noise[0], noise[1], 0)
    assert abs(mean_rank_ic(fitted.predict(noise[2].x), noise[2])) < 4 / np.sqrt(100 * STOCKS)


def test_the_same_table_gives_the_same_bits(kind):
    new = table(2).x
    first, again = (kind.fit(settings(kind), table(0), table(1), 3).predict(new) for _ in range(2))
    assert np.array_equal(first, again)


def test_it_survives_json(kind):
    fitted, new = kind.fit(settings(kind), table(0), table(1), 0), table(2).x
    restored = kind.restore(json.loads(json.dumps(fitted.state())))
    assert np.array_equal(restored.predict(new), fitted.predict(new))
    np.testing.assert_allclose(restored.importance(), fitted.importance(), rtol=1e-6)


def test_scores_don_t_depend_on_who_else_is_scored(kind):
    fitted, new = kind.fit(settings(kind), table(0), table(1), 0), table(2).x
    np.testing.assert_allclose(fitted.predict(new[10:20]), fitted.predict(new)[10:20], rtol=1e-12, atol=1e-12)


def test_the_best_number_of_trees_is_that_of_all_of_them():
    """Scores are summed up part by part; a constant of each part changes no order."""
    valid = table(1)
    added = {(0, 20): valid.y, (20, 40): 0 * valid.y + 7, (40, 50): -2 * valid.y}
    assert best_round(lambda first, stop: added[first, stop], 50, 20, valid) == 20
    noise = np.random.default_rng(0).standard_normal(len(valid.y))
    added = {(0, 20): noise, (20, 40): valid.y - noise, (40, 50): -noise}
    assert best_round(lambda first, stop: added[first, stop], 50, 20, valid) == 40
