"""Every kind of file that lies in a market, job store, run or result, damaged: never another number without a word.

Whoever reads a damaged file names it, or makes it again, or it makes no difference. A new kind of file has to say who
reads it (`support.damage_scene.KINDS`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfactor.core.checksums import CHECKSUMS
from deepfactor.core.errors import DeepfactorError
from deepfactor.panel.build import describe_panel
from deepfactor.pipeline.checking_results import check_results
from deepfactor.pipeline.markets import Market, open_market
from deepfactor.pipeline.pages import load_content
from deepfactor.pipeline.planning import plan
from deepfactor.pipeline.risk import risk_model
from deepfactor.pipeline.training import train
from deepfactor.recipe import load_recipe
from deepfactor.risk.settings import RiskSettings
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import check_oracle, oracle_path, read_oracle
from deepfactor.store.folder import MarketFolder
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.training.engines.processes import Processes
from deepfactor.training.ensemble import collect
from deepfactor.training.scalings import store as scalings
from support.cli import deepfactor, refused
from support.damage import DAMAGES, be_a_folder, flip, lose, restore
from support.damage_scene import digest, kind_of, make_scene
from support.results import contents
from support.shared import made_once

pytestmark = pytest.mark.slow

#: Of each kind so many files (of a panel's one); of each file two flips and one damage of another sort.
FILES = int(os.environ.get("DEEPFACTOR_DAMAGED", "1"))


@dataclass
class Screen:
    """What was said."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, *_: object) -> None: ...

    def finish(self, *_: object) -> None: ...


@dataclass
class Place:
    """The scene, to be damaged; `good` is as it was made."""

    good: Path
    path: Path
    screen: Screen = field(default_factory=Screen)

    def __post_init__(self) -> None:
        self.recipe = load_recipe(str(self.good.with_name(f"{self.good.name}.toml")))
        self.market: Market = open_market(self.path / "market", self.screen)  # type: ignore[arg-type]
        self.planned = plan(self.recipe, self.market, self.path / "runs" / "jobs")

    def read(self, reader: str, name: str) -> Any:
        """What who reads the file `name` makes of it."""
        self.screen.lines.clear()
        return digest(getattr(self, f"_{reader}")(name))

    def _tables(self, name: str) -> Any:
        folder = MarketFolder.open(self.path / "market")
        return folder.manifest, {table: folder.read(table) for table in folder.manifest.tables}

    def _panel(self, name: str) -> Any:
        market = open_market(self.path / "market", self.screen)  # type: ignore[arg-type]
        universe = {one: getattr(market.universe, one) for one in ("listed", "members", "benchmark", "industries")}
        kept = contents(self.path / "market" / "panel")
        return market.panel.fields, universe, describe_panel(self.path / "market"), kept

    def _risk(self, name: str) -> Any:
        kind, settings = STYLES.choose("basic"), RiskSettings()
        styles = dict(kind.part.compute(kind.settings, self.market.panel, self.market.universe).exposures)
        return risk_model(self.market, kind, styles, settings, self.screen)  # type: ignore[arg-type]

    def _oracle(self, name: str) -> Any:
        path = oracle_path(self.path / "market")
        check_oracle(path, self.market.folder.fingerprint)
        return [read_oracle(path, self.market.panel, h, part) for h in (5, 10) for part in (None, "visible")]

    def _jobs(self, name: str) -> Any:
        train(self.planned, self.path / "runs" / "jobs", Processes(0), self.screen)  # type: ignore[arg-type]
        panel = self.market.panel
        return collect(self.planned.jobs, self.path / "runs" / "jobs", panel.dates, panel.symbols)

    def _arrays(self, name: str) -> Any:
        planned = plan(self.recipe, self.market, self.path / "runs" / "jobs")
        self.screen.lines += planned.mended
        return [job.key for job in planned.jobs]  # they hash what is read

    def _scaled(self, name: str) -> Any:
        path = self.path / name
        if path.suffix == ".standard":
            found = scalings._read(path)
            return "to be made" if found is None else found
        return scalings._is_whole(path.parent / "rows.npy")

    def _results(self, name: str) -> Any:
        run = self.path / ("runs/tiny" if name.startswith("runs/") else name.split("/")[0])
        content = load_content(RunFolder(run))
        self.screen.lines += [one.message for one in content.missing]
        found = check_results(run)
        self.screen.lines += [one["message"] for one in found["findings"]]
        return content if not content.missing else "named"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "damage_scene", make_scene)


@pytest.fixture(scope="module")
def place(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(good, Path(shutil.copytree(good, tmp_path_factory.mktemp("damaged") / "scene")))


def files_of(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_every_kind_of_file_has_a_way_to_be_found_damaged(good: Path) -> None:
    unknown = [name for name in files_of(good) if kind_of(name) is None]
    assert unknown == [], "new kinds of files: say in support.damage_scene who reads them, and how damage is found"


def damages_of(name: str, rng: np.random.Generator) -> list[tuple[str, Callable[[Path], None]]]:
    """Two flips at random places, and one damage of another sort."""
    found: list[tuple[str, Callable[[Path], None]]] = []
    for _ in range(2):
        at, bit = float(rng.random()), int(rng.integers(8))
        found.append((f"bit {bit} at {at:.3f}", partial(flip, at=at, bit=bit)))
    other = DAMAGES[2 + int(rng.integers(len(DAMAGES) - 2))]
    return [*found, (other.__name__, other)]


READERS = ("tables", "panel", "oracle", "jobs", "arrays", "scaled", "results", "risk")


@pytest.mark.parametrize("reader", READERS)
def test_no_damage_changes_a_number_without_a_word(place: Place, reader: str) -> None:
    rng = np.random.default_rng(READERS.index(reader))
    kinds: dict[str, list[str]] = {}
    for name in files_of(place.good):
        kind, by = kind_of(name) or ("", "")
        if by == reader:
            kinds.setdefault(kind, []).append(name)
    assert kinds
    wrong = []
    for kind, names in kinds.items():
        for name in rng.choice(names, min(1 if reader == "panel" else FILES, len(names)), replace=False).tolist():
            whole = place.read(reader, name)
            for what, damage in damages_of(name, rng):
                damage(place.path / name)
                if (why := outcome(place, reader, name, whole, damage)) is not None:
                    wrong.append(f"{kind}: {name}, {what}: {why}")
                mend(place, name)
    assert not wrong, "\n".join(wrong)


def outcome(place: Place, reader: str, name: str, whole: Any, damage: Callable[[Path], None]) -> str | None:
    """What is wrong with what became of the damage; None where nothing is."""
    known = (Path(name).name, CHECKSUMS)
    try:
        found = place.read(reader, name)
    except DeepfactorError as error:
        named = any(one in str(error) for one in known)
        return None if error.exit_code in (2, 3) and named else f"does not name it: {error}"
    except Exception as error:
        return f"a fault of ours: {error!r}"
    said = any(one in line for line in place.screen.lines for one in known)
    if reader == "results":  # a file that the page doesn't read is compared by `check`
        return None if said or (damage is lose and Path(name).name == CHECKSUMS) else "no word"
    if reader == "scaled":
        return None if found in (whole, digest("to be made"), digest(False)) else "another number"
    return None if found == whole else "another number"


def mend(place: Place, name: str) -> None:
    """As it was, with all that was made again beside it."""
    folder = place.good / name
    if "/jobs/" in name or "/panel/" in name:
        for file in folder.parent.rglob("*"):
            if file.is_file():
                target = place.path / file.relative_to(place.good)
                if not target.is_file() or target.read_bytes() != file.read_bytes():
                    restore(target, file)
    else:
        restore(place.path / name, folder)


def copied(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "scene"))


def test_commands_end_with_2_and_name_the_file(good: Path, tmp_path: Path) -> None:
    scene = copied(good, tmp_path)
    market, run = scene / "market", scene / "runs" / "tiny"
    recipe, asked = good.with_name(f"{good.name}.toml"), ("--market", market, "--out", tmp_path / "out")
    cases: list[tuple[str, tuple[object, ...]]] = [
        ("runs/tiny/arms/ridge/scores.parquet", ("test", run, "--arm", "ridge", *asked)),
        ("runs/tiny/arms/ridge/scores.parquet", ("enhance", run, "--arm", "ridge", "--index", "000905.SH", *asked)),
        ("runs/tiny/arms/ridge/scores.parquet", ("test", run / "arms" / "ridge" / "scores.parquet", *asked)),
        ("runs/tiny/recipe.json", ("report", run)),
        ("runs/tiny/environment.json", ("report", run)),
        ("runs/tiny/arms/second/factor_report.json", ("compare", run, scene / "tested", "--out", tmp_path / "out")),
        ("market.oracle.parquet", ("run", recipe, "--market", market, "--out", scene / "runs")),
        ("market/manifest.json", ("test", run, "--arm", "ridge", *asked)),
    ]
    for name, words in cases:
        flip(scene / name, at=0.4)
        said = deepfactor(*words)
        assert Path(name).name in refused(said), (name, said)
        assert not (tmp_path / "out").exists(), name
        restore(scene / name, good / name)
    for name in ("runs/tiny/arms/ridge/scores.parquet", "runs/jobs"):
        file = next(p for p in sorted((scene / name).rglob("scores.npy")) if p) if name == "runs/jobs" else scene / name
        flip(file)
        ended = deepfactor("check", run)
        assert ended.code == 2
        assert f"{file.name} does not hold what was written" in ended.out
        restore(file, good / file.relative_to(scene))
    *_, part = sorted((market / "tables" / "daily").iterdir())
    be_a_folder(part)
    assert deepfactor("check", market).code == 2


def test_a_run_is_made_again_from_damaged_jobs_and_arrays(good: Path, tmp_path: Path) -> None:
    """A bit in each of them at once: the same results, and each is named on the screen."""
    scene = copied(good, tmp_path)
    jobs = scene / "runs" / "jobs"
    before = {name: text for name, text in contents(scene / "runs" / "tiny").items() if name.endswith(".parquet")}
    hurt = [next(iter(sorted(jobs.rglob(name)))) for name in ("scores.npy", "label.npy", "neighbour.npy", "bp.npy")]
    hurt += [sorted(jobs.rglob("log.jsonl"))[-1], sorted((scene / "market" / "panel").rglob("close.npy"))[0]]
    for file in hurt:
        flip(file)
    recipe = good.with_name(f"{good.name}.toml")
    words = ("--market", scene / "market", "--out", scene / "runs", "--workers", 0, "--edges")
    ended = deepfactor("run", recipe, *words)
    assert ended.code == 0, ended.err
    for file in hurt:
        line = next(line for line in ended.err.splitlines() if file.name in line)
        assert "again" in line
    after = {name: text for name, text in contents(scene / "runs" / "tiny").items() if name.endswith(".parquet")}
    assert after == before
    assert deepfactor("check", scene / "runs").code == 0


def test_an_oracle_of_another_market_is_refused(good: Path, tmp_path: Path) -> None:
    scene = copied(good, tmp_path)
    other = tmp_path / "other"
    words = ("--stocks", 60, "--start", "2018-01-02", "--end", "2018-03-30", "--seed", 5)
    assert deepfactor("simulate", other, *words).code == 0
    os.replace(oracle_path(other), oracle_path(scene / "market"))
    words = ("--market", scene / "market", "--out", scene / "runs", "--workers", 0)
    refused(deepfactor("run", good.with_name(f"{good.name}.toml"), *words), "oracle of another market", "simulate")
    ended = deepfactor("check", scene / "market")
    assert ended.code == 2
    assert "oracle of another market" in ended.out
