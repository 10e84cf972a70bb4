"""What a change makes train again: an appended day nothing, an arm itself, a constraint nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from deepfactor.panel.build import open_panel
from deepfactor.sources import simulated
from deepfactor.sources.base import fetch_all
from deepfactor.store.update import update
from deepfactor.training.predictions import read_scores
from support.cli import deepfactor
from support.recipe import TINY
from support.results import contents

pytestmark = pytest.mark.slow

LAST = date(2021, 1, 29)
#: Folds 2020 and 2021, the second as far as the market goes.
SETTINGS = ("fit.min_stocks=10", "fit.epochs=1")
TWO_ARMS = TINY.replace("last_test = 2020-02-28, ", "")
PORTFOLIO = """
[[portfolios]]
index = "000905.SH"
constraints = "study_b"
arms = ["gru"]
"""
ONE_ARM = TWO_ARMS[: TWO_ARMS.rindex("[[arms]]")] + PORTFOLIO


@dataclass(frozen=True)
class Growing:
    """A simulated market that is given day by day, and a run on it before its last day."""

    folder: Path
    source: simulated.Simulated

    @property
    def market(self) -> Path:
        return self.folder / "market"

    @property
    def jobs(self) -> Path:
        return self.folder / "runs" / "jobs"

    def give(self, until: date) -> None:
        """Append the days up to `until`."""
        update(self.market, lambda held: fetch_all(self.source, held.since, until), self.source.describe)
        open_panel(self.market)

    def run(self, recipe: str, *settings: str) -> dict[str, str]:
        """Run it; the key of each job by its label."""
        (self.folder / "recipe.toml").write_text(recipe)
        changes = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
        command = ("run", self.folder / "recipe.toml", "--market", self.market, "--out", self.folder / "runs", *changes)
        keys = {job["job"]: job["key"] for job in deepfactor(*command, "--dry-run", "--json").json()["jobs"]}
        ended = deepfactor(*command, "--workers", 0)
        assert ended.code == 0, ended.err
        return keys

    def stamps(self) -> dict[str, int]:
        """When each job was done."""
        return {path.parent.name: path.stat().st_mtime_ns for path in self.jobs.glob("*/done")}


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> tuple[Growing, dict[str, str]]:
    source = simulated.open_source(simulated.Settings(stocks=100, start=date(2018, 1, 2), end=LAST))
    growing = Growing(tmp_path_factory.mktemp("growing"), source)
    days = source.fetch("daily")["date"].unique().sort()
    growing.give(days[-2])
    return growing, growing.run(ONE_ARM)


@pytest.fixture
def growing(before, tmp_path) -> tuple[Growing, dict[str, str]]:
    """To change."""
    made, keys = before
    shutil.copytree(made.folder, tmp_path / "growing")
    return Growing(tmp_path / "growing", made.source), keys


def test_a_day_appended_is_scored_and_retrains_nothing(growing):
    market, before = growing
    done, last = market.stamps(), before["gru 2021 seed 0"]
    old, weights = contents(market.jobs / before["gru 2020 seed 0"]), (market.jobs / last / "weights.safetensors")
    trained, scored = weights.stat().st_mtime_ns, read_scores(market.jobs / last)[1]
    market.give(LAST)
    assert market.run(ONE_ARM) == before
    assert before.keys() == {"gru 2020 seed 0", "gru 2021 seed 0"}
    assert contents(market.jobs / before["gru 2020 seed 0"]) == old
    now = market.stamps()
    assert {key for key in now if now[key] != done.get(key)} == {last}
    assert weights.stat().st_mtime_ns == trained
    assert len(read_scores(market.jobs / last)[1]) == len(scored) + 1


def test_nothing_new_retrains_nothing(growing):
    market, before = growing
    done = market.stamps()
    assert market.run(ONE_ARM) == before
    assert market.stamps() == done


def test_a_changed_constraint_a_test_or_a_name_retrains_nothing(growing):
    market, before = growing
    done = market.stamps()
    changes = ("portfolios.0.constraints=study_a", "test.horizons=[10]", "arms.0.published=study_b/gru_ic", "name=two")
    assert market.run(ONE_ARM, *changes) == before
    assert market.stamps() == done
    assert (market.folder / "runs" / "two" / "portfolio" / "gru" / "000905.SH" / "study_a").is_dir()


def test_a_second_arm_trains_alone(growing):
    market, before = growing
    done = market.stamps()
    after = market.run(TWO_ARMS + PORTFOLIO)
    assert {label: after[label] for label in before} == before
    now = market.stamps()
    assert {key: now[key] for key in done} == done
    assert now.keys() - done.keys() == {after[f"decomp {fold} seed 0"] for fold in (2020, 2021)}
