"""What is done is not done again: a result is made anew only where what it is made of has changed, or it is damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree

import pytest

from support.cli import Ended, deepfactor, refused, strict_json
from support.damage import flip, lose
from support.killed_training import Runs, left, unbroken
from support.recipe import TINY
from support.results import contents, read

pytestmark = pytest.mark.usefixtures("styles_once")

MORE = """
[[combinations]]
name = "both"
of = ["gru", "decomp"]
min_days = 5

[[portfolios]]
index = "000905.SH"
arms = ["gru"]

[[portfolios]]
index = "000905.SH"
arms = ["both"]
constraints = "{mine}"
"""
MINE = """definitions = "study_b"
relax_order = ["turnover", "stock"]
[[constraints]]
kind = "stock_active_weight"
limit = {bound}
[[constraints]]
kind = "turnover"
limit = 0.4
"""
ARMS = ("gru", "decomp", "both")
SCORES = {f"arms/{arm}/scores.parquet" for arm in ARMS}
TESTS = {f"arms/{arm}/factor_report.json" for arm in ARMS}
BESIDE = {"model_correlation.json", "paired.json", "oracle.json"}
PORTFOLIOS = {"portfolio/gru/000905.SH/study_b/summary.json", "portfolio/both/000905.SH/mine/summary.json"}
ALL = SCORES | TESTS | BESIDE | PORTFOLIOS


@dataclass(frozen=True)
class Scene:
    """A run, to be repeated."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "tiny"

    def again(self, *more: object, market: str = "market") -> Ended:
        words = ("run", self.folder / "tiny.toml", "--market", self.folder / market, "--out", self.folder / "runs")
        return deepfactor(*words, "--workers", 0, *more)

    def stamps(self) -> dict[str, tuple[int, int]]:
        files = [(name, self.run / name) for name in ALL]
        return {name: ((stat := file.stat()).st_ino, stat.st_mtime_ns) for name, file in files if file.exists()}

    def made_by(self, *more: object, market: str = "market") -> set[str]:
        """What the same command makes anew."""
        before = self.stamps()
        ended = self.again(*more, market=market)
        assert ended.code == 0, ended.err
        (self.folder / "said").write_text(ended.err)
        return {name for name, stamp in self.stamps().items() if stamp != before.get(name)}

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()


def write(folder: Path) -> None:
    (folder / "mine.toml").write_text(MINE.format(bound=0.02))
    (folder / "tiny.toml").write_text(TINY + MORE.format(mine=folder / "mine.toml"))


@pytest.fixture(scope="module")
def made(small_market, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    write(folder)
    ended = deepfactor(
        *("run", folder / "tiny.toml", "--market", small_market, "--out", folder / "runs", "--workers", 0)
    )
    assert ended.code == 0, ended.err
    assert "as before" not in ended.err
    return folder


@pytest.fixture
def scene(made, small_market, tmp_path) -> Scene:
    copytree(made / "runs", tmp_path / "runs")
    write(tmp_path)
    (tmp_path / "market").symlink_to(small_market)
    (tmp_path / "market.oracle.parquet").symlink_to(small_market.with_name("market.oracle.parquet"))
    return Scene(tmp_path)


@pytest.mark.slow
def test_a_second_run_makes_the_page_alone(scene):
    before, page = contents(scene.run), (scene.run / "report.html").stat().st_ino
    assert scene.made_by() == set()
    assert (scene.run / "report.html").stat().st_ino != page
    for said in ("arms' scores: 2", "combinations: 1", "factor tests: 3", "oracle: 1", "portfolios: 2"):
        assert f"{said} as before" in scene.said
    assert "tested" not in scene.said
    assert "backtest" not in scene.said
    after = contents(scene.run)
    changed = {name for name in before if after[name] != before[name]}
    assert changed <= {
        "recipe.json",  # names where the constraints lie, which no key reads
        "run.log",
        "environment.json",
        "checksums.json",
        *(f"report.{x}" for x in ("html", "json", "xlsx")),
    }
    assert after.keys() == before.keys()
    assert deepfactor("check", scene.run).code == 0


@pytest.mark.slow
def test_a_bound_costs_its_own_portfolio(scene):
    (scene.folder / "mine.toml").write_text(MINE.format(bound=0.015))
    assert scene.made_by() == {"portfolio/both/000905.SH/mine/summary.json"}
    assert "portfolios: 1 as before" in scene.said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "anew"),
    [
        ("test.horizons=[10]", TESTS | {"paired.json", "oracle.json"}),
        ("portfolios.0.capital=2e7", {"portfolio/gru/000905.SH/study_b/summary.json"}),
        ('combinations.0.method="orthogonalised"', {"arms/both/scores.parquet", "arms/both/factor_report.json"}),
        # the mean is the same, and what reads it goes by what it is
        ('combinations.0.of=["decomp", "gru"]', {"arms/both/scores.parquet"}),
        ("title=\"Another\"", set()),
    ],
)  # fmt: skip
def test_a_setting_costs_what_reads_it(scene, setting, anew):
    made = scene.made_by("--set", setting)
    if "orthogonalised" in setting:
        anew |= BESIDE | {"portfolio/both/000905.SH/mine/summary.json"}
    assert made == anew


@pytest.mark.slow
def test_the_way_back_costs_as_much_and_gives_the_same(scene):
    whole = contents(scene.run / "arms")
    scene.made_by("--set", "test.horizons=[10]")
    assert scene.made_by() == TESTS | {"paired.json", "oracle.json"}
    assert contents(scene.run / "arms") == whole


@pytest.mark.slow
def test_scores_from_disk_give_the_same_bits(scene):
    whole = contents(scene.run)
    for name in TESTS | {"paired.json", "oracle.json", "model_correlation.json", *PORTFOLIOS}:
        (scene.run / name).unlink()
    deepfactor("report", scene.run)
    ended = scene.again()
    assert ended.code == 0, ended.err
    assert "arms' scores: 2 as before" in ended.err
    after = contents(scene.run)
    results = {name for name in whole if name.startswith(("arms/", "portfolio/")) or name in BESIDE}
    assert {name for name in results if after.get(name) != whole[name]} == set()


@pytest.mark.slow
def test_a_day_more_repeats_all(scene):
    span = ("--start", "2018-01-02", "--end", "2021-01-04")
    assert deepfactor("simulate", scene.folder / "longer", "--stocks", 110, *span).code == 0
    assert scene.made_by(market="longer") == ALL


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, pytest.param(lose, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "anew"),
    [
        ("portfolio/gru/000905.SH/study_b/nav.parquet", {"portfolio/gru/000905.SH/study_b/summary.json"}),
        ("arms/gru/group_nav.parquet", {"arms/gru/factor_report.json"}),
        ("arms/decomp/scores.parquet", {"arms/decomp/scores.parquet"}),
        ("model_correlation.json", {"model_correlation.json"}),
        ("stages.json", ALL),
    ],
)
def test_what_is_damaged_is_made_again(scene, name, anew, damage):
    whole = contents(scene.run)
    damage(scene.run / name)
    assert scene.made_by() == anew
    if name != "stages.json" or damage is flip:
        assert f"{name} " in scene.said
        assert "made again" in scene.said
    after = contents(scene.run)
    results = {file for file in whole if file.startswith(("arms/", "portfolio/")) or file in BESIDE}
    assert {file for file in results if after[file] != whole[file]} == set()
    assert deepfactor("check", scene.run).code == 0


# --only


@pytest.mark.slow
@pytest.mark.parametrize("group", ["scores", "tests", "portfolios", "page", "scores,tests"])
def test_only_what_is_asked_for_is_made(scene, group):
    setting = ("--set", "test.horizons=[10]", "--set", "portfolios.0.capital=2e7")
    parts = {
        "tests": TESTS | {"paired.json", "oracle.json"},
        "portfolios": {"portfolio/gru/000905.SH/study_b/summary.json"},
    }
    anew = set().union(*(parts.get(one, set()) for one in group.split(",")))
    assert scene.made_by("--only", group, *setting) == anew
    page = (scene.run / "report.html").read_text(encoding="utf-8")
    for other, results in parts.items():
        shown = f"run --only {other} makes them again" in page
        assert shown == (group != "page" and other not in group), (other, results)
    assert ("deepfactor run --only tests 可重新生成" in page) == (group in ("scores", "portfolios"))


@pytest.mark.parametrize("group", ["portfolios", "tests", "scores", "tests,portfolios"])
def test_only_without_what_it_reads_says_what_to_run(scene, tmp_path_factory, group):
    empty = Scene(tmp_path_factory.mktemp("empty"))
    write(empty.folder)
    (empty.folder / "market").symlink_to(scene.folder / "market")
    refused(empty.again("--only", group), "2 of 2 jobs are not trained", "--only training")
    assert not empty.run.exists()
    if group != "scores":
        (scene.run / "arms/decomp/scores.parquet").unlink()
        before = contents(scene.run)
        refused(
            scene.again("--only", group),
            "arms' scores of decomp: arms/decomp/scores.parquet is missing",
            "--only scores",
        )
        after = contents(scene.run)
        assert {name for name in before if after[name] != before[name]} <= {"checksums.json", "run.log"}


@pytest.mark.slow
def test_only_step_by_step_gives_the_same(scene, tmp_path_factory):
    steps = Scene(tmp_path_factory.mktemp("steps"))
    write(steps.folder)
    for name in ("market", "market.oracle.parquet"):
        (steps.folder / name).symlink_to((scene.folder / name).resolve())
    copytree(scene.folder / "runs" / "jobs", steps.folder / "runs" / "jobs")
    refused(steps.again("--only", "page"), "holds no run yet")
    for group in ("training", "scores", "portfolios", "tests"):
        ended = steps.again("--only", group, "--json")
        assert ended.code == 0, ended.err
        assert strict_json(ended.out)["failures"] == [], "none of what was asked for"
        assert (steps.run / "report.html").exists() == (group != "training")
    assert contents(steps.run / "portfolio") == contents(scene.run / "portfolio")
    one, other = (contents(each.run / "arms") for each in (steps, scene))
    assert one == other
    assert not (steps.run / "failures.json").exists()
    page = (steps.run / "report.html").read_text(encoding="utf-8")
    assert "makes them again" not in page


def test_only_what_there_is(scene):
    refused(scene.again("--only", "portfolio"), "--only 'portfolio'", "portfolios")


@pytest.mark.slow
def test_what_failed_before_is_still_missing(scene, monkeypatch):
    from deepfactor.pipeline import enhancing

    def fault(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("planted")

    (scene.run / "stages.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(enhancing, "backtest_to", fault)
        assert scene.again().code == 1
    tests = scene.again("--only", "tests", "--json")
    assert tests.json()["failures"] == []
    assert {one["stage"] for one in read(scene.run / "failures.json")} == {"portfolio"}
    assert "planted" in (scene.run / "report.html").read_text(encoding="utf-8")
    assert scene.again("--only", "portfolios").code == 0
    assert not (scene.run / "failures.json").exists()


# killed on the way


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    running = Runs()
    yield running
    running.close()


@pytest.mark.slow
def test_killed_between_stages_nothing_stale_is_trusted(runs, small_market, tmp_path):
    """Killed while settings change: the old settings again give the old bits.

    At every kind of write, alternately before and after it; ``DEEPFACTOR_KILLS`` of 2 or more: both.
    """
    write(tmp_path)
    text = (tmp_path / "tiny.toml").read_text()
    scene = unbroken(runs, text, small_market, tmp_path)
    changed = text.replace("horizons = [5]", "horizons = [10]").replace(
        'arms = ["gru"]', 'arms = ["gru"]\ncapital = 2e7'
    )
    other = tmp_path / "other.toml"
    other.write_text(changed)
    points = tmp_path / "points of the other"
    copytree(scene.whole, tmp_path / "first")
    assert runs.run(other, small_market, tmp_path / "first", points=str(points))["status"] == 0
    # the market's ledger knows both settings by now, and a page counts them
    assert runs.run(scene.recipe, small_market, scene.whole)["status"] == 0
    scene = replace(scene, left=left(scene.whole))
    lines = points.read_text().splitlines()
    wanted = (
        "replace tiny/stages.json",
        "replace tiny/arms/gru/factor_report.json",
        "replace tiny/portfolio/gru/000905.SH/study_b/nav.parquet",
        "replace tiny/portfolio/gru/000905.SH/study_b/summary.json",
        "replace tiny/environment.json",
        "replace tiny/checksums.json",
    )
    both = int(os.environ.get("DEEPFACTOR_KILLS", "1")) > 1
    for k, name in enumerate(wanted):
        for after in (0, 1) if both else (k % 2,):
            number = lines.index(name) + 1 + after
            out = tmp_path / f"out{number}"
            copytree(scene.whole, out)
            assert runs.run(other, small_market, out, kill=number)["status"] == -9
            scene.assert_is_mended(runs, out, f"{name}, {number}")
