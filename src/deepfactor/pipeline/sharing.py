"""Results that know nothing of each other, made beside each other: in processes of this machine, or on a cluster.

Who makes some opens the market by itself; style sets, a minute each on a real market, lie in files that all of them
map. What is made are the bytes of one process: workers have as many threads as this one.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import TypeVar

import numpy as np

from deepfactor.core.arrays import AnyArray
from deepfactor.core.errors import DeepfactorError, UserError
from deepfactor.core.files import machine_id
from deepfactor.panel.build import open_panel
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.ground import Ground, ScoresOf
from deepfactor.pipeline.markets import Market, StyleSets
from deepfactor.portfolio.presets import Enhancement
from deepfactor.risk.model import RiskModel
from deepfactor.store.folder import MarketFolder
from deepfactor.styles.base import Styles, StyleSet
from deepfactor.training.engines.base import Do, Engine, Needs, Task, Tell, Where
from deepfactor.training.engines.on_ray import Ray
from deepfactor.training.engines.processes import Processes, sendable, travels

#: Seconds until a worker works: it imports for two or three, without torch, and opens the market in a tenth of one.
START = 3.0
#: Bytes that a worker takes by day and stock of the market, which a cluster is told: 1.2 GB of 3159 × 4996.
_BYTES = 80

Result = TypeVar("Result")
#: Makes a result, wherever: top-level or a partial of what can be sent.
Make = Callable[[Ground, Console], object]


@dataclass(frozen=True)
class Part:
    """One of the results: its name for people, how it is made, and about how long that takes a core."""

    name: str
    make: Make
    seconds: float


@dataclass(frozen=True)
class Shared:
    """What the results read: style `sets` on the days of `rows` alone, and `risks`: constraints whose risk models they
    do, with the set that these are of. `home`: where the results lie, which a cluster's nodes must share."""

    home: Path
    rows: slice
    sets: Sequence[StyleSet]
    risks: Sequence[tuple[StyleSet, Enhancement]] = ()


def each(
    ground: Ground, parts: Sequence[Part], shared: Shared, engine: Engine, console: Console, what: str
) -> Generator[Callable[[], object], None, None]:
    """How to get each of `parts`, in their order: what is called gives the result, or raises what went wrong. `what`
    names all of them, for people.

    In this process, one after the other as they are called, where others would hardly save what they take to start.
    """
    if not pays(parts, engine) or not _prepared(ground, shared, console):
        for k, part in enumerate(parts):
            console.progress(what, k, len(parts), part.name)
            yield partial(part.make, ground, console)
        console.finish(what)
        return
    needs = Needs(memory=_BYTES * ground.eligible.size if isinstance(engine, Ray) else 0)
    remote = None if isinstance(engine, Processes) else shared.home
    tasks = [Task(part.name, (k, part.make), shares=remote) for k, part in enumerate(parts)]
    console.progress(what, 0, len(parts), "")
    with (
        _sent(ground, shared, remote) as sent,
        closing(same_threads(engine).each(partial(_open, sent), tasks, partial(_hear, console), needs)) as done,
    ):
        made: dict[int, Callable[[], object]] = {}
        given = 0
        for n, (task, get) in enumerate(done, start=1):
            console.progress(what, n, len(parts), task.name)
            made[task.content[0]] = get
            while given in made:
                yield made.pop(given)
                given += 1
    console.finish(what)


def pays(parts: Sequence[Part], engine: Engine) -> bool:
    """Whether workers save more than one takes to start."""
    at_once = engine.workers if isinstance(engine, Processes) else getattr(engine, "most", None) or len(parts)
    at_once = min(at_once, len(parts))
    return at_once > 1 and sum(part.seconds for part in parts) * (1 - 1 / at_once) > START


def _prepared(ground: Ground, shared: Shared, console: Console) -> bool:
    """Have what the workers read made here. Where that fails, each of the results will, and say so, in this process."""
    try:
        for styles in shared.sets:
            ground.sets.of(styles)
        for styles, enhancement in shared.risks:
            ground.risk(styles, [enhancement], console)
    except DeepfactorError as error:
        if error.exit_code != UserError.exit_code:
            raise
        return False
    return True


def same_threads(engine: Engine) -> Engine:
    """The engine with workers of as many threads as this process has: the same last digits of sums."""
    threads = os.environ.get("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    own = {name: os.environ.get(name, threads) for name in names}
    return replace(engine, environment=own) if isinstance(engine, (Processes, Ray)) else engine


def seen_from_afar(engine: Engine, path: Path) -> Path:
    """A path as the engine's workers have it: those of a cluster begin in other folders."""
    return path if isinstance(engine, Processes) else path.absolute()


@contextmanager
def laid_out(arrays: Sequence[AnyArray], rows: slice, room: Path | None) -> Iterator[Path]:
    """Arrays (T, N) as files ``0.npy`` … of a folder in `room` (None = the system's for temporary ones), of the days
    `rows` alone: the others are holes in them."""
    owner = f".{machine_id()}-{os.getpid()}.tmp"  # for `remove_litter`, should this process be killed
    with tempfile.TemporaryDirectory(prefix=".arrays-", suffix=owner, dir=room) as name:
        for k, values in enumerate(arrays):
            held = np.lib.format.open_memmap(Path(name) / f"{k}.npy", "w+", values.dtype, values.shape)
            held[rows] = values[rows]
            held.flush()
        yield Path(name)


def mapped(folder: Path, k: int) -> AnyArray:
    """One of them, memory-mapped."""
    values: AnyArray = np.load(folder / f"{k}.npy", mmap_mode="r")
    return values


@dataclass(frozen=True)
class _Sent:
    """A ground as a worker is sent it: who is scored in the folder `scored`; `files`: by style set and style its array
    in `folder`; `absent`: of the sets."""

    market: Path
    rows: int
    locked: date | None
    scored: Path
    folder: Path
    files: Mapping[str, Mapping[str, int]]
    absent: Mapping[str, Mapping[str, str]]
    risks: Mapping[str, RiskModel]


@contextmanager
def _sent(ground: Ground, shared: Shared, room: Path | None) -> Iterator[_Sent]:
    market = ground.market
    made = {ground.sets.key(one): ground.sets.of(one) for one in shared.sets}
    arrays: list[AnyArray] = []
    files: dict[str, dict[str, int]] = {}
    for key, styles in made.items():
        files[key] = {name: len(arrays) + k for k, name in enumerate(styles.exposures)}
        arrays += styles.exposures.values()
    absent = {key: styles.absent for key, styles in made.items()}
    with laid_out([ground.eligible], slice(None), room) as scored, laid_out(arrays, shared.rows, room) as folder:
        rows, locked, home = len(market.panel.dates), market.panel.locked, market.folder.path.absolute()
        yield _Sent(home, rows, locked, scored.absolute(), folder.absolute(), files, absent, ground.risks)


def _open(sent: _Sent) -> Do[tuple[int, Make], Callable[[], object]]:
    """In a worker: the market up to the last day that the parent has of it. Its holdout was opened there or not."""
    if not sent.market.exists():
        told = f"{gethostname()} doesn't see {sent.market}: put it where all nodes share it, or leave out --engine ray"
        raise UserError(told)
    panel, universe = open_panel(sent.market, live=True)
    panel = replace(panel.between(0, sent.rows), locked=sent.locked)
    market = Market(MarketFolder.open(sent.market), panel, universe.between(0, sent.rows))
    sets = {
        key: Styles({name: mapped(sent.folder, k) for name, k in files.items()}, sent.absent[key])
        for key, files in sent.files.items()
    }
    ground = Ground(market, mapped(sent.scored, 0), StyleSets(market, sets), _Last(market), {**sent.risks})

    def do(content: tuple[int, Make], where: Where, tell: Tell) -> Callable[[], object]:
        try:
            return partial(_give, content[1](ground, _Relayed(tell)))
        except Exception as error:
            return partial(_fail, _as_sent(error))

    return do


class _Last:
    """Reads scores, and keeps those that it read last: a worker's next result is often of the same arm."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.of: ScoresOf | None = None

    def __call__(self, of: ScoresOf) -> Scores:
        if of != self.of:
            self.scores, self.of = of.read(self.market.panel), of
        return self.scores


def _give(result: object) -> object:
    return result


def _fail(error: Exception) -> object:
    raise error


def _as_sent(error: Exception) -> Exception:
    """An error as it is where it can be sent, what isn't ours with its traceback as a note."""
    if isinstance(error, DeepfactorError):
        return sendable(error)
    error.add_note(traceback.format_exc())
    return error if travels(error) else sendable(error)


@dataclass(frozen=True)
class _Told:
    """What a worker says to the console of who asked: the name of the `Console`'s method, and what it is given."""

    verb: str
    words: tuple[object, ...]

    @property
    def passing(self) -> bool:
        return self.verb == "progress"


class _Relayed:
    """A worker's console."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def say(self, text: str) -> None:
        self.tell(_Told("say", (text,)))

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        self.tell(_Told("progress", (key, done, total, note)))

    def finish(self, key: str) -> None:
        self.tell(_Told("finish", (key,)))


def _hear(console: Console, event: object) -> None:
    assert isinstance(event, _Told)
    getattr(console, event.verb)(*event.words)
