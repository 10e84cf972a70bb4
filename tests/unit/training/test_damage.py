"""Files of training that were changed on disk: made again, and said; never read as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.checksums import CHECKSUMS, read_checksums
from deepfactor.core.errors import DamagedFile, UserError
from deepfactor.core.kind import Kind
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData, open_data, prepare_data
from deepfactor.training.engine import run_jobs
from deepfactor.training.finished import read_log, read_record
from deepfactor.training.jobs import Job, Progress, is_done, plan_jobs
from deepfactor.training.predictions import read_scores
from deepfactor.training.spec import Fit
from deepfactor.training.weights import load_tensors
from support.damage import DAMAGES, be_a_folder, flip, lose, restore
from support.training import FOLD, PLAN, TINY, stored, toy_jobs, toy_training

ONE = Fit(epochs=2, seeds=(0,), min_stocks=5)
#: Not the same again: they hold times.
TIMED = ("done", "trained.json", "log.jsonl", "checkpoint.safetensors", CHECKSUMS)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return toy_training(days=72, stocks=12)


@pytest.fixture(scope="module")
def jobs(data: TrainingData) -> list[Job]:
    return toy_jobs(data, TINY, fit=ONE)


@pytest.fixture(scope="module")
def made(data: TrainingData, jobs: list[Job], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    run_jobs(jobs, stored(data, folder), folder, workers=0)
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "jobs"))


def contents(folder: Path) -> dict[str, bytes]:
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in (*TIMED, ".lock")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def events(jobs: list[Job], folder: Path) -> list[Progress]:
    seen: list[Progress] = []
    run_jobs(jobs, folder / "inputs-toy", folder, workers=0, progress=seen.append)
    return seen


def job_files(folder: Path, job: Job) -> list[str]:
    return sorted(p.name for p in (folder / job.key).iterdir() if p.name != ".lock")


def test_a_finished_job_knows_all_that_it_left(made: Path, jobs: list[Job]) -> None:
    checksums = read_checksums(made / jobs[0].key) or {}
    assert {*checksums, CHECKSUMS} == set(job_files(made, jobs[0]))


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_job_is_done_again_and_said(
    made: Path, store: Path, jobs: list[Job], damage: Callable[[Path], None]
) -> None:
    (job,) = jobs
    whole = contents(made)
    for name in job_files(made, job):
        file = store / job.key / name
        damage(file)
        unseen = damage is lose and name in ("done", CHECKSUMS)
        assert is_done(store, job) == (damage is lose and name == CHECKSUMS)
        if damage is be_a_folder:
            with pytest.raises(UserError, match=f"{name} is a folder"):
                events(jobs, store)
            shutil.rmtree(store / job.key)
            shutil.copytree(made / job.key, store / job.key)
            continue
        seen = events(jobs, store)
        said = [event.note for event in seen if event.phase == "damaged"]
        assert bool(said) != unseen, name
        assert all(name in note or name == CHECKSUMS for note in said), (name, said)
        assert is_done(store, job)
        assert contents(store) == whole, name
    assert [event.phase for event in events(jobs, store)] == ["skip"]


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if damage is not be_a_folder])
def test_a_job_goes_on_from_a_damaged_checkpoint_at_its_beginning(
    made: Path, store: Path, jobs: list[Job], damage: Callable[[Path], None]
) -> None:
    (job,) = jobs
    (store / job.key / "done").unlink()
    damage(store / job.key / "checkpoint.safetensors")
    seen = events(jobs, store)
    assert [e.epoch for e in seen if e.phase == "validate"] == [1, 2]
    assert [e.phase for e in seen].count("damaged") == (damage is not lose)
    assert contents(store) == contents(made)


@pytest.mark.slow
def test_no_bit_of_a_checkpoint_can_change(made: Path, jobs: list[Job], tmp_path: Path) -> None:
    good, file = made / jobs[0].key / "checkpoint.safetensors", tmp_path / "c.safetensors"
    tensors, note = load_tensors(good)
    size = good.stat().st_size
    for at in range(0, size, max(size // 400, 1)):
        shutil.copy(good, file)
        flip(file, at=(at + 0.5) / size, bit=at % 8)
        try:
            found, said = load_tensors(file)
        except DamagedFile as error:
            assert str(file) in str(error)  # noqa: PT017
        else:
            assert said == note, f"byte {at} is no white space"
            assert found.keys() == tensors.keys()
            assert all(found[name].equal(tensors[name]) for name in tensors)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_job_of_before_there_were_checksums_is_taken_where_it_can_be_read(
    store: Path, jobs: list[Job], damage: Callable[[Path], None]
) -> None:
    (job,) = jobs
    (store / job.key / CHECKSUMS).unlink()
    assert is_done(store, job)
    if damage not in (flip, lose):
        damage(store / job.key / "scores.npy")
        assert not is_done(store, job)
        return
    assert [event.phase for event in events(jobs, store)] == ["skip"]
    assert (store / job.key / CHECKSUMS).exists()
    damage(store / job.key / "scores.npy")
    assert not is_done(store, job), "from now on it is compared"


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"text"', "\x00"])
def test_odd_json_of_a_job_is_named(store: Path, jobs: list[Job], text: str) -> None:
    folder = store / jobs[0].key
    for name, read in (("done", read_record), ("log.jsonl", read_log), ("axes.json", read_scores)):
        (folder / name).write_text(text)
        if name == "log.jsonl" and not text:
            continue
        with pytest.raises(DamagedFile, match=f"{name}: is damaged"):
            read(folder)  # type: ignore[operator]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_arrays_are_made_again_and_said(
    made: Path, store: Path, data: TrainingData, damage: Callable[[Path], None]
) -> None:
    good, folder = made / "inputs-toy", store / "inputs-toy"
    for name in sorted(p.name for p in good.iterdir() if p.is_file() and p.name != ".lock"):
        said: list[str] = []
        damage(folder / name)
        if damage is be_a_folder:
            with pytest.raises(UserError, match="is a folder"):
                prepare_data(store, "toy", lambda: data, said.append)
            restore(folder / name, good / name)
            continue
        if not (damage is lose and name == CHECKSUMS):
            with pytest.raises(DamagedFile, match=r"repeat the command"):
                open_data(folder)
        prepare_data(store, "toy", lambda: data, said.append)
        unseen = damage is lose and name in ("inputs.json", CHECKSUMS)
        assert len(said) == (not unseen), name
        assert all("made again" in text and (name in text or name == CHECKSUMS) for text in said)
        assert (folder / CHECKSUMS).read_bytes() == (good / CHECKSUMS).read_bytes()
        assert contents(folder) == contents(good)


def test_arrays_of_before_there_were_checksums(store: Path, data: TrainingData) -> None:
    folder = store / "inputs-toy"
    (folder / CHECKSUMS).unlink()
    prepare_data(store, "toy", lambda: pytest.fail("made twice"))
    assert (folder / CHECKSUMS).exists()
    (folder / CHECKSUMS).unlink()
    (folder / "label.npy").write_bytes(b"")
    said: list[str] = []
    prepare_data(store, "toy", lambda: data, said.append)
    assert "made again" in said[0]
    np.testing.assert_array_equal(open_data(folder).label, data.label)


@pytest.mark.slow
@pytest.mark.parametrize("scaling", ["by_day", "last_close"])
def test_what_a_scaling_keeps_is_made_again(made: Path, data: TrainingData, tmp_path: Path, scaling: str) -> None:
    arm = Arm(name="one", model=TINY, scaling=Kind(kind=scaling))  # type: ignore[call-arg]
    jobs = plan_jobs(data, [arm], [FOLD], PLAN, Fit(epochs=1, seeds=(0,), min_stocks=5), inputs={}, label={})
    folder = stored(data, tmp_path)
    run_jobs(jobs, folder, tmp_path, workers=0)
    kept = contents(folder)
    scores = (tmp_path / jobs[0].key / "scores.npy").read_bytes()
    names = [name for name in kept if "scaled-" in name and not name.endswith(".standard")]
    names += [name for name in kept if name.endswith(".standard")][:1]
    assert names
    for name in names:
        for damage in DAMAGES[:5]:
            damage(folder / name)
            shutil.rmtree(tmp_path / jobs[0].key)
            run_jobs(jobs, folder, tmp_path, workers=0)
            assert (tmp_path / jobs[0].key / "scores.npy").read_bytes() == scores
            assert contents(folder) == kept
