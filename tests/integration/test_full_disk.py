"""A full disk, on a small file system of its own: exit 3, the market as it was; with space the same command ends."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import OutOfResources
from deepfactor.panel.build import open_panel
from deepfactor.panel.build.past import PAST
from deepfactor.runs.results import write_table
from deepfactor.store.folder import MANIFEST, MarketFolder
from support.cli import deepfactor
from support.vendor_files import vendor_files

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """4 MB that can be filled."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if mount else None
    if done is None or done.returncode:
        why = done.stderr.strip() if done else "no mount"
        pytest.skip(f"NO TEST HAS SEEN A FULL DISK: a tmpfs can't be mounted here ({why})")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """A ballast that leaves `leave` bytes."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"0" * (shutil.disk_usage(disk).free - leave))
    return ballast


def contents(market: Path) -> dict[str, bytes]:
    """But for what a panel went on from, which one that was built whole didn't."""
    kept = [p for p in sorted(market.rglob("*")) if p.is_file() and p.name not in (".lock", PAST)]
    return {str(p.relative_to(market)): p.read_bytes() for p in kept}


def test_no_space_for_the_tables(small_disk, tmp_path):
    mapping = vendor_files(tmp_path, "parquet", days=118)
    market = small_disk / "m"
    assert deepfactor("ingest", mapping, market, "--folder", tmp_path).code == 0
    before = contents(market)
    vendor_files(tmp_path, "parquet", days=120)
    ballast = fill(small_disk, leave=0)
    result = deepfactor("ingest", mapping, market, "--folder", tmp_path)
    assert result.code == 3, result.err
    assert "no space left to write" in result.err
    assert contents(market) == before
    ballast.unlink()
    assert deepfactor("ingest", mapping, market, "--folder", tmp_path).code == 0
    deepfactor("ingest", mapping, tmp_path / "whole", "--folder", tmp_path)
    assert MarketFolder.open(market).fingerprint == MarketFolder.open(tmp_path / "whole").fingerprint


@pytest.mark.parametrize("leave", [24, 48, 96])
def test_no_space_somewhere_on_the_way(small_disk, tmp_path, leave):
    """Tables that are in stay in; a panel is whole or not there."""
    mapping = vendor_files(tmp_path, "parquet", days=118)
    market = small_disk / "m"
    ballast = fill(small_disk, leave=leave * 1024)
    result = deepfactor("ingest", mapping, market, "--folder", tmp_path)
    assert result.code == 3, result.err
    assert "no space left" in result.err
    assert not list((market / "panel").glob("[!.]*"))
    assert not list(market.rglob("*.tmp"))
    ballast.unlink()
    if (market / MANIFEST).exists():
        assert open_panel(market)[0].shape[1] == 3
    assert deepfactor("ingest", mapping, market, "--folder", tmp_path).code == 0
    deepfactor("ingest", mapping, tmp_path / "whole", "--folder", tmp_path)
    assert contents(market) == contents(tmp_path / "whole")


@pytest.mark.parametrize("leave", [0, 64])
def test_no_space_for_results(small_disk, leave):
    """Tables of a run: the system's error is told, though polars hides its number."""
    path = small_disk / "arms" / "scores.parquet"
    write_table(path, {"score": np.zeros(3)})
    before = path.read_bytes()
    ballast = fill(small_disk, leave=leave * 1024)
    big = {"score": np.random.default_rng(0).random(100_000)}
    with pytest.raises(OutOfResources, match="no space left to write") as error:
        write_table(path, big)
    assert error.value.exit_code == 3
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    ballast.unlink()
    write_table(path, big)


@pytest.mark.parametrize("leave", [16, 20, 24])
def test_no_space_while_a_day_is_appended(small_disk, tmp_path, leave):
    """Files that two panels share may be left half grown: the panel before opens, the next append mends them."""
    mapping = vendor_files(tmp_path, "parquet", days=118)
    market = small_disk / "m"
    assert deepfactor("ingest", mapping, market, "--folder", tmp_path).code == 0
    before, _ = open_panel(market)
    close = before["close"].copy()
    vendor_files(tmp_path, "parquet", days=120)
    ballast = fill(small_disk, leave=leave * 1024)
    result = deepfactor("ingest", mapping, market, "--folder", tmp_path)
    assert result.code == 3, result.err
    assert [p.name for p in (market / "panel").iterdir()] == [before.fingerprint]
    np.testing.assert_array_equal(before["close"], close)
    ballast.unlink()
    assert deepfactor("ingest", mapping, market, "--folder", tmp_path).code == 0
    deepfactor("ingest", mapping, tmp_path / "whole", "--folder", tmp_path)
    panels = [path / "panel" / open_panel(path)[0].fingerprint for path in (market, tmp_path / "whole")]
    assert contents(panels[0]) == contents(panels[1])
