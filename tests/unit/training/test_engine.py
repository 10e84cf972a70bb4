"""Worker processes: the same numbers as in this process, no orphans, errors that say which job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deepfactor.core.errors import DataError, Interrupted, UserError
from deepfactor.core.kind import Kind
from deepfactor.training.engine import JobFailed, run_jobs
from deepfactor.training.jobs import Job, Progress, is_done
from deepfactor.training.losses import ic
from deepfactor.training.spec import Fit
from support.processes import gone
from support.training import FIT, TINY, stored, toy_jobs, toy_training

LONG = Fit(epochs=30, seeds=(0,), min_stocks=5)


def results(jobs: list[Job], folder: Path) -> list[bytes]:
    return [(folder / j.key / name).read_bytes() for j in jobs for name in ("weights.safetensors", "scores.npy")]


@pytest.mark.slow
def test_workers_give_the_same_bits_and_done_jobs_are_skipped(tmp_path: Path) -> None:
    data = toy_training()
    jobs = toy_jobs(data, TINY, Kind(kind="decomp_gru", hidden=4))  # type: ignore[call-arg]
    events: dict[int, list[Progress]] = {}
    for workers in (0, 2):
        folder = tmp_path / str(workers)
        run_jobs(jobs, stored(data, folder), folder, workers=workers, progress=events.setdefault(workers, []).append)
    assert results(jobs, tmp_path / "0") == results(jobs, tmp_path / "2")
    for seen in events.values():
        assert sorted(e.job for e in seen if e.phase == "done") == sorted(j.label for j in jobs)
        assert sum(e.phase == "validate" for e in seen) == len(jobs) * FIT.epochs
    skipped: list[Progress] = []
    run_jobs(jobs, tmp_path / "nowhere", tmp_path / "2", workers=2, progress=skipped.append)
    assert {e.phase for e in skipped} == {"skip"}


def test_arms_that_say_the_same_train_once(tmp_path: Path) -> None:
    data = toy_training()
    jobs = toy_jobs(data, TINY, TINY, fit=Fit(epochs=1, seeds=(0,), min_stocks=5))
    seen: list[Progress] = []
    run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=0, progress=seen.append)
    assert [e.phase for e in seen].count("done") == 1
    assert all(is_done(tmp_path, job) for job in jobs)


@pytest.mark.slow
def test_a_users_error_names_the_job(tmp_path: Path) -> None:
    data = toy_training()
    jobs = toy_jobs(data, fit=Fit(epochs=1, seeds=(0,), min_stocks=500))
    for workers in (0, 1):
        with pytest.raises(UserError, match=r"^arm0 toy seed 0: fold toy: no training day") as caught:
            run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=workers)
        assert caught.value.exit_code == 2


def test_a_fault_leaves_its_traceback_with_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(ic, "loss", broken)
    data = toy_training()
    jobs = toy_jobs(data)
    with pytest.raises(JobFailed, match=r"arm0 toy seed 0: ZeroDivisionError: planted; traceback in .*error\.txt"):
        run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=0)
    assert "in broken" in (tmp_path / jobs[0].key / "error.txt").read_text()


def test_missing_arrays_are_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unreadable"):
        run_jobs(toy_jobs(toy_training()), tmp_path / "nowhere", tmp_path, workers=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_this_process_is_an_interruption(number: signal.Signals, tmp_path: Path) -> None:
    data = toy_training()
    jobs = toy_jobs(data, fit=LONG)
    before = signal.getsignal(number)

    def listen(event: Progress) -> None:
        if event.epoch == 2:
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted, match=number.name):
        run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=0, progress=listen)
    assert signal.getsignal(number) is before
    assert (tmp_path / jobs[0].key / "checkpoint.safetensors").exists()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """What the long job gives when nothing stops it."""
    data, folder = toy_training(), tmp_path_factory.mktemp("unbroken")
    jobs = toy_jobs(data, fit=LONG)
    run_jobs(jobs, stored(data, folder), folder, workers=0)
    return results(jobs, folder)


PARENT = """
import multiprocessing, sys
from pathlib import Path
from support.processes import gone
from support.training import stored, toy_jobs, toy_training
from deepfactor.core.errors import Interrupted
from deepfactor.training.engine import run_jobs
from deepfactor.training.spec import Fit

def listen(event):
    if event.phase == "validate":
        print(event.epoch, *(p.pid for p in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    data = toy_training()
    jobs = toy_jobs(data, fit=Fit(epochs=30, seeds=(0,), min_stocks=5))
    try:
        run_jobs(jobs, stored(data, folder), folder, workers=1, progress=listen)
    except Interrupted as error:
        sys.exit(error.exit_code)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_from_outside_no_orphans_and_the_job_goes_on(
    number: signal.Signals, unbroken: list[bytes], tmp_path: Path
) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    tests = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests), *sys.path])}
    parent = subprocess.Popen([sys.executable, script, tmp_path / "broken"], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    children: list[int] = []
    for line in parent.stdout:
        epoch, *children = map(int, line.split())
        if epoch >= 2:
            break
    parent.send_signal(number)
    parent.stdout.close()
    assert parent.wait(timeout=60) == (3 if number is not signal.SIGKILL else -9)
    assert children
    assert all(map(gone, children))
    data = toy_training()
    jobs = toy_jobs(data, fit=LONG)
    assert not is_done(tmp_path / "broken", jobs[0])
    assert not (tmp_path / "broken" / jobs[0].key / "error.txt").exists()
    run_jobs(jobs, stored(data, tmp_path / "broken"), tmp_path / "broken", workers=0)
    assert results(jobs, tmp_path / "broken") == unbroken
