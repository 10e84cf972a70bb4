"""Features that two folders of training arrays share on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfactor.training.data import features_kept, open_data, prepare_data
from support.training import toy_training


def test_the_second_folder_has_the_firsts_file(tmp_path: Path) -> None:
    data = toy_training()
    first = prepare_data(tmp_path, "a", lambda: data, features="key")
    found = features_kept(tmp_path, "key")
    assert found is not None
    features, file = found
    assert features_kept(tmp_path, "other") is None
    raw = replace(data, label=data.label + 1, features=features)
    second = prepare_data(tmp_path, "b", lambda: raw, features="key", same=file)
    assert (second / "features.npy").samefile(first / "features.npy")
    opened = open_data(second)
    np.testing.assert_array_equal(opened.features.values, data.features.values)
    np.testing.assert_array_equal(opened.label, data.label + 1)


def test_a_damaged_file_is_not_shared(tmp_path: Path) -> None:
    data = toy_training()
    file = prepare_data(tmp_path, "a", lambda: data, features="key") / "features.npy"
    content = file.read_bytes()
    file.write_bytes(content[:-4] + b"abcd")
    assert features_kept(tmp_path, "key") is None
    (tmp_path / "inputs-x").mkdir()
    (tmp_path / "inputs-x" / "inputs.json").write_text("[]")
    assert features_kept(tmp_path, "key") is None
