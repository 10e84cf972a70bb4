"""Scores of an arm: its jobs' predictions, an ensemble over the seeds; what it is made of, and how training went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from deepfactor.core.checksums import CHECKSUMS, file_checksum
from deepfactor.core.files import write_json
from deepfactor.core.words import Sentence
from deepfactor.inputs.relations import Relations
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.runs.done import Outcome
from deepfactor.runs.edges import write_edges
from deepfactor.runs.factors import write_scores
from deepfactor.training.cards import model_card, training_record
from deepfactor.training.data import open_data
from deepfactor.training.ensemble import collect
from deepfactor.training.finished import DONE
from deepfactor.training.jobs import Job

NAME, GROUP = "scores", "scores"
MANY = Sentence("arms' scores", "模型得分")
READS = ()
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One an arm: the scores of all its jobs together and of each seed, its card and its training."""
    for arm in work.recipe.arms:
        jobs = [job for job in work.planned.jobs if job.arm.name == arm.name]
        seeds = list(dict.fromkeys(job.seed for job in jobs))
        folder = work.folder.arm(arm.name)
        files = [*(work.folder.scores(arm.name, seed) for seed in (None, *seeds))]
        files += [folder / name for name in ("model_card.json", "training.json", *(["edges.parquet"] * work.edges))]
        yield Unit(arm.name, files[0], _reads(work, jobs), files, partial(_write, work, arm.name, jobs))


def _reads(work: Work, jobs: Sequence[Job]) -> dict[str, object]:
    """The jobs, what lies in their folders, and what the model card says beside."""
    return {
        "jobs": [[job.key, job.fold.name, job.seed, _content(work.folder.jobs / job.key)] for job in jobs],
        "arm": jobs[0].arm.model_dump(mode="json"),
        "fit": jobs[0].fit.model_dump(mode="json"),
        "label": work.planned.inputs[jobs[0].arm.name].whole_label,
        "edges": work.edges,
    }


def _content(job: Path) -> str:
    """What a finished job holds: trained again, maybe on another device, its last digits and times may differ."""
    checksums = job / CHECKSUMS
    return file_checksum(checksums if checksums.exists() else job / DONE)


def _write(work: Work, arm: str, jobs: Sequence[Job]) -> Outcome:
    panel, folder = work.market.panel, work.folder
    scores = collect(jobs, folder.jobs, panel.dates, panel.symbols)[arm]
    content = {"scores": write_scores(folder.scores(arm), scores.ensemble)}
    for seed, values in scores.seeds.items():
        content[str(seed)] = write_scores(folder.scores(arm, seed), values)
    data, label = open_data(work.planned.arrays[arm]), work.planned.inputs[arm].whole_label
    place = folder.arm(arm)
    write_json(place / "model_card.json", model_card(jobs, data, label))
    write_json(place / "training.json", training_record(jobs, folder.jobs))
    if work.edges and isinstance(graph := data.inputs.held.get("neighbours"), Relations):
        tests = [job.fold.test for job in jobs]
        days = range(min(test.start for test in tests), max(test.stop for test in tests))
        write_edges(place / "edges.parquet", graph, data.symbols, days)
    work.made[arm] = scores
    return Outcome(content, scores.ensemble.dropped)
