"""Missing exposures: the regression's fitted value, else the median, counted."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.styles.completion import complete_exposures

N = 60


@pytest.fixture
def styles() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    size = rng.standard_normal((2, N))
    return {"SIZE": size, "VALUE": 0.5 * size + rng.standard_normal((2, N))}


@pytest.fixture
def industry() -> np.ndarray:
    return np.random.default_rng(3).integers(-1, 4, N).astype(np.int16)


def test_nothing_missing_is_left_alone(styles: dict[str, np.ndarray], industry: np.ndarray) -> None:
    names = np.array([3, 10, 59])
    out, counts = complete_exposures(styles, 1, names, industry)
    assert counts == {}
    for style, values in styles.items():
        np.testing.assert_array_equal(out[style], values[1, names])


def test_gaps_are_least_squares_on_dummies_and_size(styles: dict[str, np.ndarray], industry: np.ndarray) -> None:
    gaps = np.array([1, 4, 20, 33])
    industry[gaps] = [0, 1, 2, 3]
    styles["VALUE"][1, gaps] = np.nan
    out, counts = complete_exposures(styles, 1, np.arange(N), industry)
    used = np.isfinite(styles["VALUE"][1]) & (industry >= 0)
    design = np.column_stack([(industry[:, None] == np.arange(4)).astype(float), styles["SIZE"][1]])
    slope, *_ = np.linalg.lstsq(design[used], styles["VALUE"][1, used], rcond=None)
    np.testing.assert_allclose(out["VALUE"][gaps], design[gaps] @ slope, rtol=1e-10)
    assert counts == {"missing_exposures.VALUE": 4}


def test_without_industry_or_size_it_is_the_median(styles: dict[str, np.ndarray], industry: np.ndarray) -> None:
    industry[[5, 6]] = [-1, 0]
    styles["VALUE"][0, [5, 6]] = np.nan
    styles["SIZE"][0, 6] = np.nan
    out, counts = complete_exposures(styles, 0, np.array([5, 6, 7]), industry)
    assert out["VALUE"][:2].tolist() == [np.nanmedian(styles["VALUE"][0])] * 2
    assert out["SIZE"][1] == np.nanmedian(styles["SIZE"][0])
    assert counts == {
        "missing_exposures.SIZE": 1,
        "median_exposures.SIZE": 1,
        "missing_exposures.VALUE": 2,
        "median_exposures.VALUE": 2,
    }


def test_an_industry_without_a_known_exposure_is_not_extrapolated(styles: dict[str, np.ndarray]) -> None:
    industry = np.zeros(N, dtype=np.int16)
    industry[8] = 1
    styles["VALUE"][0, 8] = np.nan
    out, counts = complete_exposures(styles, 0, np.array([8]), industry)
    assert out["VALUE"][0] == np.nanmedian(styles["VALUE"][0])
    assert counts["median_exposures.VALUE"] == 1
