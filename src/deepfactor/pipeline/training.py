"""Training as a user sees it: each worker's job, and the time left."""

from __future__ import annotations

from pathlib import Path

from deepfactor.pipeline.console import Console
from deepfactor.pipeline.planning import Planned
from deepfactor.training.engine import run_jobs
from deepfactor.training.engines.base import Engine, Needs
from deepfactor.training.engines.on_ray import Ray
from deepfactor.training.estimate import estimate
from deepfactor.training.jobs import Progress, is_done


def train(planned: Planned, jobs_folder: Path, engine: Engine, console: Console, *, device: str = "cpu") -> None:
    """Run what is not done, showing each worker's job and the time left.

    A cluster is told what a job takes: a core, the memory that `estimate` measures here, a GPU on ``cuda``.
    """
    needs = Needs()
    if isinstance(engine, Ray) and any(not is_done(jobs_folder, job) for job in planned.jobs):
        memory = estimate(planned.jobs, planned.arrays, jobs_folder, workers=1).memory
        needs = Needs(memory=memory, gpus=float(device.startswith("cuda")))
        if needs.gpus:
            console.say(f"a job takes a core, {memory / 2**20:,.0f} MiB and {engine.gpus:g} of a GPU")
        else:
            console.say(f"a job takes a core and {memory / 2**20:,.0f} MiB")
    run_jobs(
        planned.jobs,
        planned.arrays,
        jobs_folder,
        engine=engine,
        progress=_Watch(console),
        device=device,
        needs=needs,
    )


class _Watch:
    """Turns the events of training into progress and lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.rank_ic: dict[str, float] = {}  # of each job's last epoch

    def __call__(self, event: Progress) -> None:
        if event.phase in ("done", "skip"):
            self.console.finish(event.job)
            best = "" if event.valid_rank_ic is None else f", best validation RankIC {event.valid_rank_ic:.4f}"
            best += "" if event.valid_top is None else f", label of the top 5 % {event.valid_top:+.4f}"
            self.console.say(f"{event.job}: {'done' if event.phase == 'done' else 'was done before'}{best}")
            return
        if event.phase == "damaged":
            self.console.say(f"{event.job}: {event.note}: done again")
            return
        if event.phase == "note":
            self.console.say(f"{event.job}: {event.note}")
            return
        if event.phase == "validate" and event.valid_rank_ic is not None:
            self.rank_ic[event.job] = event.valid_rank_ic
            self.console.say(
                f"{event.job}: epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}, "
                f"validation RankIC {event.valid_rank_ic:.4f}"
            )
        done, total = _share(event)
        note = f"{event.phase} {event.step}/{event.steps}"
        if event.phase == "train":
            note = f"epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}"
            note += f", RankIC {self.rank_ic[event.job]:.4f}" if event.job in self.rank_ic else ""
        self.console.progress(event.job, done, total, note)


def _share(event: Progress) -> tuple[float, float]:
    """Epochs done of all, with prediction as one more."""
    total = float(max(event.epochs, 1) + 1)
    if event.phase == "predict":
        return total - 1 + event.step / max(event.steps, 1), total
    inside = event.step / max(event.steps, 1) if event.phase in ("gather", "train") else 1.0
    return max(event.epoch - 1, 0) + inside, total
