"""Jobs on a real Ray cluster of two nodes: the bytes of this process, whatever dies on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray isn't installed: nothing is tested on a cluster")

from deepfactor.backtest.placebo import who_is_scored
from deepfactor.core.errors import UserError
from deepfactor.core.kind import Kind
from deepfactor.core.leases import holder_of
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.backtests import follow_many
from deepfactor.pipeline.markets import StyleSets, open_market
from deepfactor.pipeline.placebo import _Random, ground_of
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.training.engine import run_jobs
from deepfactor.training.engines import on_ray
from deepfactor.training.engines.on_ray import Ray
from deepfactor.training.engines.processes import Processes
from deepfactor.training.jobs import Job, Progress, is_done
from deepfactor.training.spec import Fit
from support.cluster import TwoNodes
from support.processes import gone
from support.sharing import Home
from support.training import TINY, stored, toy_jobs, toy_training

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning:ray")]
LONG = Fit(epochs=30, patience=30, seeds=(0, 42), min_stocks=5)
BOTH = Fit(epochs=12, seeds=(0, 42), min_stocks=5)


def results(jobs: list[Job], folder: Path) -> list[bytes]:
    return [(folder / job.key / name).read_bytes() for job in jobs for name in ("weights.safetensors", "scores.npy")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    nodes = TwoNodes()
    yield nodes
    nodes.close()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[Fit, list[bytes]]:
    """What the jobs give in this process."""
    data, made = toy_training(), {}
    for fit in (LONG, BOTH):
        folder = tmp_path_factory.mktemp("unbroken")
        jobs = toy_jobs(data, TINY, fit=fit)
        run_jobs(jobs, stored(data, folder), folder, workers=0)
        made[fit] = results(jobs, folder)
    return made


class Heard:
    """Keeps what is told, and does something once, when all of `jobs` have ended their second epoch."""

    def __init__(self, jobs: Sequence[Job] = (), act: Callable[[], None] | None = None) -> None:
        self.events: list[Progress] = []
        self.said: list[str] = []
        self.waits, self.act = {job.label for job in jobs}, act

    def __call__(self, event: Progress) -> None:
        self.events.append(event)
        if event.epoch >= 2 and event.phase == "validate":
            self.waits.discard(event.job)
        if self.act is not None and not self.waits:
            act, self.act = self.act, None
            act()

    def epochs(self) -> list[tuple[str, int]]:
        return [(event.job, event.epoch) for event in self.events if event.phase == "validate"]


def test_the_same_bytes_as_in_this_process_on_both_nodes_at_once(
    cluster: TwoNodes, unbroken: dict[Fit, list[bytes]], tmp_path: Path
) -> None:
    data, heard = toy_training(), Heard()
    jobs = toy_jobs(data, TINY, fit=BOTH)
    engine = Ray(cluster.address, say=heard.said.append)
    run_jobs(jobs, stored(data, tmp_path), tmp_path, engine=engine, progress=heard)
    assert results(jobs, tmp_path) == unbroken[BOTH]
    assert sorted(heard.epochs()) == sorted((job.label, epoch) for job in jobs for epoch in range(1, 13))
    begun = {event.job: i for i, event in reversed(list(enumerate(heard.events)))}
    ended = {event.job: i for i, event in enumerate(heard.events)}
    assert max(begun.values()) < min(ended.values())  # a node is one core
    assert heard.said == []
    again = Heard()
    run_jobs(jobs, tmp_path / "nowhere", tmp_path, engine=engine, progress=again)
    assert {event.phase for event in again.events} == {"skip"}
    assert not [path.name for path in tmp_path.rglob(".seen*")]


def test_a_users_error_names_the_job(cluster: TwoNodes, tmp_path: Path) -> None:
    data = toy_training()
    jobs = toy_jobs(data, fit=Fit(epochs=1, seeds=(0,), min_stocks=500))
    with pytest.raises(UserError, match=r"^arm0 toy seed 0: fold toy: no training day"):
        run_jobs(jobs, stored(data, tmp_path), tmp_path, engine=Ray(cluster.address))


def test_no_node_has_what_a_job_takes(cluster: TwoNodes, tmp_path: Path) -> None:
    from deepfactor.training.engines.base import Needs

    data = toy_training()
    with pytest.raises(UserError, match=r"no node of the Ray cluster has what a job takes \(CPU 2\): 2 nodes"):
        run_jobs(toy_jobs(data), stored(data, tmp_path), tmp_path, engine=Ray(cluster.address), needs=Needs(cores=2))


def test_a_killed_worker_costs_its_job_alone_which_goes_on(
    cluster: TwoNodes, unbroken: dict[Fit, list[bytes]], tmp_path: Path
) -> None:
    data = toy_training()
    jobs = toy_jobs(data, TINY, fit=BOTH)

    def kill() -> None:
        held = holder_of(tmp_path / jobs[0].key)
        assert held is not None
        os.kill(held["pid"], signal.SIGKILL)

    heard = Heard(jobs[:1], kill)
    engine = Ray(cluster.address, say=heard.said.append)
    run_jobs(jobs, stored(data, tmp_path), tmp_path, engine=engine, progress=heard)
    assert results(jobs, tmp_path) == unbroken[BOTH]
    (told,), name = heard.said, jobs[0].label
    assert told.startswith(f"{name}: its worker died")
    assert heard.epochs().count((name, 1)) == 1  # from the checkpoint on
    other = [epoch for job, epoch in heard.epochs() if job != name]
    assert other == list(range(1, 13))


def test_a_killed_node_costs_its_jobs_alone(
    cluster: TwoNodes, unbroken: dict[Fit, list[bytes]], tmp_path: Path
) -> None:
    data = toy_training()
    jobs = toy_jobs(data, TINY, fit=LONG)
    heard = Heard(jobs, cluster.kill_the_second)
    try:
        engine = Ray(cluster.address, say=heard.said.append)
        run_jobs(jobs, stored(data, tmp_path), tmp_path, engine=engine, progress=heard)
    finally:
        cluster.renew_the_second()
    assert results(jobs, tmp_path) == unbroken[LONG]
    assert any("its worker died" in text for text in heard.said)
    for job in jobs:
        assert heard.epochs().count((job.label, 1)) == 1


DRIVER = """
import sys
from pathlib import Path
from support.training import TINY, stored, toy_jobs, toy_training
from deepfactor.core.errors import Interrupted
from deepfactor.training.engine import run_jobs
from deepfactor.training.engines.on_ray import Ray
from deepfactor.training.spec import Fit

def listen(event):
    if event.phase in ("validate", "skip", "done"):
        print(event.phase, event.epoch, event.job, flush=True)

if __name__ == "__main__":
    folder, data = Path(sys.argv[2]), toy_training()
    jobs = toy_jobs(data, TINY, fit=Fit.model_validate_json(sys.argv[3]))
    try:
        run_jobs(jobs, stored(data, folder), folder, engine=Ray(sys.argv[1]), progress=listen)
    except Interrupted as error:
        sys.exit(error.exit_code)
"""


class Driver:
    """Another command on the same store: a process that hands the jobs of a fit to the cluster."""

    def __init__(self, cluster: TwoNodes, folder: Path, fit: Fit) -> None:
        script = folder.parent / "driver.py"
        script.write_text(DRIVER)
        tests = Path(__file__).parents[1]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests), *sys.path])}
        words = [sys.executable, script, cluster.address, folder, fit.model_dump_json()]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True)

    def first_in_second_epoch(self, jobs: Sequence[Job]) -> Job:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            _, epoch, name = line.strip().split(maxsplit=2)
            if int(epoch) >= 2:
                return next(job for job in jobs if job.label == name)
        raise AssertionError("the driver ended before")

    def end(self) -> tuple[int, list[str]]:
        assert self.process.stdout is not None
        lines = self.process.stdout.read().splitlines()
        self.process.stdout.close()
        return self.process.wait(timeout=120), lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_driver_leaves_the_cluster_clean_and_goes_on(
    number: signal.Signals, cluster: TwoNodes, unbroken: dict[Fit, list[bytes]], tmp_path: Path
) -> None:
    folder, data = tmp_path / "jobs", toy_training()
    jobs = toy_jobs(data, TINY, fit=LONG)
    driver = Driver(cluster, folder, LONG)
    first = driver.first_in_second_epoch(jobs)
    held = holder_of(folder / first.key)
    assert held is not None
    driver.process.send_signal(number)
    assert driver.end()[0] == (3 if number is not signal.SIGKILL else -9)
    assert gone(held["pid"])
    assert not is_done(folder, first)
    heard = Heard()
    run_jobs(jobs, stored(data, folder), folder, engine=Ray(cluster.address), progress=heard)
    assert results(jobs, folder) == unbroken[LONG]
    assert min(epoch for name, epoch in heard.epochs() if name == first.label) > 1


def test_two_drivers_on_one_store_share_its_jobs(
    cluster: TwoNodes, unbroken: dict[Fit, list[bytes]], tmp_path: Path
) -> None:
    folder, data, heard = tmp_path / "jobs", toy_training(), Heard()
    jobs = toy_jobs(data, TINY, fit=BOTH)
    arrays = stored(data, folder)
    driver = Driver(cluster, folder, BOTH)
    run_jobs(jobs, arrays, folder, engine=Ray(cluster.address), progress=heard)
    code, lines = driver.end()
    assert code == 0
    there = [(line.split(maxsplit=2)[2], int(line.split()[1])) for line in lines if line.startswith("validate")]
    assert sorted(there + heard.epochs()) == sorted((job.label, epoch) for job in jobs for epoch in range(1, 13))
    assert results(jobs, folder) == unbroken[BOTH]


def test_folders_travel_to_nodes_that_do_not_share_them(
    cluster: TwoNodes, unbroken: dict[Fit, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that nobody sees stands for a folder that isn't shared; a worker dies on the way."""
    monkeypatch.setattr(on_ray, "_seen_by_others", lambda tasks: nullcontext({tmp_path: tmp_path / "not there"}))
    data, room = toy_training(), Path(tempfile.gettempdir()) / f"deepfactor-{os.getuid()}"
    jobs = toy_jobs(data, TINY, fit=BOTH)
    before = set(room.glob("writes-*/*"))  # of a run that was broken off

    def kill() -> None:
        (place,) = set(room.glob(f"writes-*/{jobs[0].key}")) - before
        os.kill(int(place.parent.name.split("-")[1]), signal.SIGKILL)

    heard = Heard(jobs[:1], kill)
    arrays = stored(data, tmp_path)
    run_jobs(jobs, arrays, tmp_path, engine=Ray(cluster.address, say=heard.said.append), progress=heard)
    assert results(jobs, tmp_path) == unbroken[BOTH]
    assert heard.said[0].endswith(f"doesn't see {tmp_path}: jobs travel with their folders")
    assert heard.said[1].startswith(f"{jobs[0].label}: its worker died")
    assert heard.epochs().count((jobs[0].label, 1)) == 1
    assert all(is_done(tmp_path, job) for job in jobs)
    assert [path.name for path in (arrays.rglob("scaled-*"))] == []  # made where it was read
    assert [left for job in jobs for left in room.glob(f"writes-*/{job.key}") if left not in before] == []  # swept
    shutil.rmtree(next(room.glob(f"*/{arrays.name}")).parent)


def test_random_scores_are_followed_on_the_cluster(cluster: TwoNodes, small_market: Path, tmp_path: Path) -> None:
    """The same numbers as in this process; a folder that nobody shares is an error that says so."""
    home = shutil.copytree(small_market, tmp_path / "market")
    market = open_market(home)
    portfolio = Portfolio(index="000905.SH", constraints="study_b")
    styles = StyleSets(market).of(load_constraints(portfolio).styles).exposures
    signals = np.flatnonzero(market.universe.week_ends())[-8:]
    last = market.panel.dates[-2]
    summary = {"start": str(market.panel.dates[signals[0]]), "end": str(last)}
    eligible = market.universe.eligible(UniverseRule())
    ground = ground_of(market, styles, portfolio, eligible, summary, None)  # type: ignore[arg-type]
    mask = who_is_scored(np.zeros(eligible.shape), ground.buyable, signals)
    make = _Random(mask[signals], signals, len(mask), 0.7)
    here = dict(follow_many(home, ground, [0, 1, 2], make, Processes(0)))
    there = dict(follow_many(home, ground, [0, 1, 2], make, Ray(cluster.address)))
    assert there == here
    assert len({one["excess"] for one in here.values()}) == 3
    assert [path.name for path in home.iterdir() if path.name.startswith((".deepfactor", ".seen"))] == []


def test_tests_and_portfolios_on_the_cluster(
    cluster: TwoNodes, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of one process; one that fails is named, and the others are there."""
    files, heard = home.made_by(Ray(cluster.address), home.begun(tmp_path), monkeypatch)
    assert files == home.alone()
    assert heard.bars["portfolios"] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert any(text.startswith("FAILED: portfolio of gru_ic · 000905.SH · impossible") for text in heard.said)
    assert not list(tmp_path.rglob(".seen*")) + list(tmp_path.rglob(".deepfactor*"))


def test_a_network_of_another_kind_and_no_address(tmp_path: Path) -> None:
    """A cluster of this machine for one command."""
    data = toy_training()
    jobs = toy_jobs(data, Kind(kind="decomp_gru", hidden=4), fit=Fit(epochs=1, seeds=(0,), min_stocks=5))  # type: ignore[call-arg]
    run_jobs(jobs, stored(data, tmp_path / "a"), tmp_path / "a", workers=0)
    run_jobs(jobs, stored(data, tmp_path / "b"), tmp_path / "b", engine=Ray(most=1))
    assert results(jobs, tmp_path / "a") == results(jobs, tmp_path / "b")


def test_an_address_where_nothing_is() -> None:
    data = toy_training()
    with pytest.raises(UserError, match=r"no Ray cluster at 127.0.0.1:1 \(ray start --head"):
        run_jobs(toy_jobs(data), Path("nowhere"), Path("nowhere"), engine=Ray("127.0.0.1:1"))
