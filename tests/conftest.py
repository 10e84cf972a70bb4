"""For all tests: one thread a process, reproducible Hypothesis, no waiting for disks, real data, a small market."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.outside import refuse_outside
from support.shared import made_once

#: torch and numpy read these once, when they are imported, which nothing above does.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: Ray's, too: whoever can reach a cluster of the tests needs this session's token; by itself it puts one into the home.
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}

refuse_outside()
settings.register_profile("deepfactor", derandomize=True, deadline=None)
settings.register_profile("few", settings.get_profile("deepfactor"), max_examples=25)  # `make test`
settings.load_profile("deepfactor")


def pytest_collection_finish() -> None:
    """Tests that import torch have done so by now. It isn't imported for those that don't."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What `deepfactor.core.checksums` notes of the tests' folders stays with them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """`os.fsync`, there for power cuts, returns at once in this process; those that are killed have the real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_random_scores() -> Iterator[None]:
    """A placebo band is of two random scores where a test doesn't say how many: each is a backtest."""
    from deepfactor.backtest import placebo

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placebo, "DRAWS", 2)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; without one the test is skipped, which the summary shows."""
    given = os.environ.get("DEEPFACTOR_REAL_DATA")
    if not given:
        pytest.skip("DEEPFACTOR_REAL_DATA is not set: this is not tested on real data")
    folder = Path(given)
    if not folder.is_dir():
        pytest.fail(f"DEEPFACTOR_REAL_DATA={given} is no folder")
    return folder


@pytest.fixture(scope="session")
def small_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated market of some 90 stocks and three years, 2018 to 2020, with its oracle beside it."""
    from support.cli import deepfactor

    def make(folder: Path) -> None:
        span = ("--start", "2018-01-02", "--end", "2020-12-31")
        result = deepfactor("simulate", folder / "market", "--stocks", 110, *span, "--json")
        assert result.json()["span"] == ["2018-01-02", "2020-12-31"]

    return made_once(tmp_path_factory, "small_market", make) / "market"


@pytest.fixture(scope="module")
def styles_once() -> Iterator[None]:
    """For those who run on one market over and over: its style exposures are computed once."""
    from deepfactor.pipeline import factor, markets
    from support.style_sets import remembering

    with pytest.MonkeyPatch.context() as patch:
        once = remembering(markets.style_exposures)
        for room in (markets, factor):
            patch.setattr(room, "style_exposures", once)
        yield
