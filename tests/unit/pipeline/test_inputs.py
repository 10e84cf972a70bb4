"""Features that one arm is made of serve another that reads them beside its window: computed once, one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfactor.features import alpha
from deepfactor.features.base import ROOM as FEATURES
from deepfactor.pipeline.inputs import prepare_arrays, prepare_inputs
from deepfactor.pipeline.markets import open_market
from deepfactor.recipe import Recipe
from deepfactor.training.data import open_data

CONTENT = {
    "name": "beside",
    "title": "Beside",
    "plan": {"first_test": 2020},
    "arms": [
        {"name": "trees", "features": {"kind": "alpha"}, "weighting": {"kind": "ridge"}},
        {"name": "fusion", "model": {"kind": "late_fusion_gru"}, "scaling": "by_day"},
    ],
}


@pytest.mark.slow
def test_features_are_computed_once(small_market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    market, recipe = open_market(small_market), Recipe.model_validate(CONTENT)
    computed = []
    compute = alpha.compute_rows
    monkeypatch.setattr(alpha, "compute_rows", lambda *given: computed.append(1) or compute(*given))
    of_trees = prepare_inputs(recipe, market, tmp_path, features=FEATURES.choose("alpha"))
    of_network = prepare_inputs(recipe, market, tmp_path)
    trees, fusion = recipe.arms
    arrays = prepare_arrays(recipe, market, of_network.folder, fusion)
    assert prepare_arrays(recipe, market, of_trees.folder, trees).inputs == {}
    values = arrays.inputs["day_features"] / "values.npy"
    assert values.samefile(of_trees.folder / "features.npy")
    assert computed == [1]
    held = open_data(arrays).inputs.held["day_features"]
    assert held.names == open_data(of_trees.folder).features.names
    values.unlink()  # damaged: made again, from what is there
    again = prepare_arrays(recipe, market, of_network.folder, fusion)
    assert (again.inputs["day_features"] / "values.npy").samefile(of_trees.folder / "features.npy")
    (of_trees.folder / "features.npy").write_bytes(b"hurt")
    values.unlink()
    prepare_arrays(recipe, market, of_network.folder, fusion)
    assert computed == [1, 1]
