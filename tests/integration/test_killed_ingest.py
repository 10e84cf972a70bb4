"""`kill -9` while a market is made or goes on: it opens, and the same command mends it to the byte.

``DEEPFACTOR_KILLS=10`` raises the number of kills at writes that lie evenly, and at random times, from 4.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.panel.build import open_panel
from deepfactor.store.audit import audit_tables
from deepfactor.store.folder import MANIFEST, MarketFolder
from support.killed import Ingests
from support.vendor_files import vendor_files

NAMED = AT_RANDOM = max(4, int(os.environ.get("DEEPFACTOR_KILLS", "4")))


def contents(market: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(market)): p.read_bytes()
        for p in sorted(market.rglob("*"))
        if p.is_file() and p.name != ".lock"
    }


@dataclass(frozen=True)
class Scene:
    """An ingest to be killed.

    mapping : of the vendor's files; before : the market before it, None = none; after : bytes of an unbroken run;
    points : names of all its writes; seconds : how long it takes
    """

    mapping: Path
    before: Path | None
    after: dict[str, bytes]
    points: list[str]
    seconds: float

    def market(self, path: Path) -> Path:
        """A market as it is before."""
        if self.before is not None:
            shutil.copytree(self.before, path)
        return path


@pytest.fixture(scope="module")
def ingests() -> Iterator[Ingests]:
    running = Ingests()
    yield running
    running.close()


@pytest.fixture(scope="module", params=["ingest", "append", "append with a new symbol"])
def scene(request, ingests, tmp_path_factory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    before = None
    if request.param != "ingest":
        mapping = vendor_files(folder, "parquet", days=118, late=request.param.endswith("symbol"))
        assert ingests.run(mapping, folder / "before")["status"] == 0
        before = folder / "before"
    mapping = vendor_files(folder, "parquet", days=120, late=request.param.endswith("symbol"))
    whole = Scene(mapping, before, {}, [], 0.0).market(folder / "whole")
    ended = ingests.run(mapping, whole, points=str(folder / "points"))
    assert ended["status"] == 0
    points = (folder / "points").read_text(encoding="utf-8").splitlines()
    return Scene(mapping, before, contents(whole), points, ended["seconds"])


def assert_opens_and_is_mended(scene: Scene, ingests: Ingests, market: Path, tmp_path: Path, point: str) -> None:
    """The old market or the new one opens, with its panel; the same command ends with the bytes of an unbroken run."""
    seen = tmp_path / "seen"
    if (market / MANIFEST).exists() or scene.before is not None:
        shutil.copytree(market, seen)
        folder = MarketFolder.open(seen)
        assert not [one for one in audit_tables(folder) if one.severity == "error"], point
        panel, universe = open_panel(seen)
        last = folder.read("daily", ["date"])["date"].max()
        assert panel.dates[-1].item() == last, point
        days = folder.read("daily", ["date", "symbol"]).height
        assert np.isfinite(panel["close"]).sum() == universe.traded.sum() == days, point
    else:
        with pytest.raises(DataError, match="is no market folder"):
            MarketFolder.open(market)
    assert ingests.run(scene.mapping, market)["status"] == 0, point
    assert contents(market) == scene.after, point


@pytest.mark.slow
@pytest.mark.parametrize("i", range(NAMED))
def test_killed_at_a_named_write(scene, ingests, tmp_path, i):
    number = 1 + round(i * (len(scene.points) - 1) / (NAMED - 1))
    market = scene.market(tmp_path / "m")
    ended = ingests.run(scene.mapping, market, kill=number)
    point = f"before write {number} of {len(scene.points)}: {scene.points[number - 1]}"
    assert ended["status"] == -9, point
    assert_opens_and_is_mended(scene, ingests, market, tmp_path, point)


@pytest.mark.parametrize("name", ["replace manifest.json", "fsync .manifest.json", "rename panel/"])
def test_killed_at_the_turning_points(scene, ingests, tmp_path, name):
    """Just before the new manifest counts, and just before the new panel does."""
    number = 1 + next(k for k, point in enumerate(scene.points) if point.startswith(name))
    market = scene.market(tmp_path / "m")
    assert ingests.run(scene.mapping, market, kill=number)["status"] == -9
    assert_opens_and_is_mended(scene, ingests, market, tmp_path, name)


@pytest.mark.slow
def test_killed_at_random_times(scene, ingests, tmp_path):
    rng = np.random.default_rng(len(scene.points))
    for i, share in enumerate((np.arange(AT_RANDOM) + rng.random(AT_RANDOM)) / AT_RANDOM):
        market = scene.market(tmp_path / f"m{i}" / "m")
        ingests.run(scene.mapping, market, after=float(share) * scene.seconds)
        point = f"after {share:.0%} of {scene.seconds:.2f} s"
        assert_opens_and_is_mended(scene, ingests, market, tmp_path / f"m{i}", point)
