"""How training is shown: events of jobs as lines and as shares of the work."""

from __future__ import annotations

from deepfactor.pipeline.training import _share, _Watch
from deepfactor.training.jobs import Progress


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.shares: list[float] = []
        self.notes: list[str] = []
        self.finished: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        self.shares.append(done / total)
        self.notes.append(note)

    def finish(self, key: str) -> None:
        self.finished.append(key)


def course(epochs: int = 3, steps: int = 4, days: int = 5) -> list[Progress]:
    """The events of one job, in the order in which training sends them."""
    events = []
    for epoch in range(1, epochs + 1):
        events += [Progress("a", "k", "train", epoch, epochs, step, steps, -0.1) for step in range(1, steps + 1)]
        events.append(Progress("a", "k", "validate", epoch, epochs, steps, steps, -0.1, 0.05))
    events += [Progress("a", "k", "predict", epochs, epochs, day, days) for day in range(1, days + 1)]
    return events


def test_shares_rise_from_nothing_to_all():
    shares = [done / total for done, total in map(_share, course())]
    assert shares == sorted(shares)
    assert 0 < shares[0] <= 1 / 16
    assert shares[-1] == 1


def test_early_stopping_jumps_ahead():
    stopped = Progress("a", "k", "predict", 2, 50, 1, 10)
    done, total = _share(stopped)
    assert done / total == 50.1 / 51


def test_what_is_said():
    heard = Heard()
    watch = _Watch(heard)
    for event in course():
        watch(event)
    watch(Progress("a", "k", "done", 3, 3, valid_rank_ic=0.05))
    watch(Progress("b", "l", "skip"))
    assert heard.lines == [
        *(f"a: epoch {n}/3, loss -0.1000, validation RankIC 0.0500" for n in (1, 2, 3)),
        "a: done, best validation RankIC 0.0500",
        "b: was done before",
    ]
    assert heard.finished == ["a", "b"]
    assert heard.notes[0] == "epoch 1/3, loss -0.1000"
    assert heard.notes[5] == "epoch 2/3, loss -0.1000, RankIC 0.0500", "the last validation stays in sight"
    assert heard.notes[-1] == "predict 5/5"
