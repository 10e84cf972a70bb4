"""What training leaves as JSON, as typed records: what a job writes is what results and readers read.

Dictionaries, as those of `evaluation.records`: `NotRequired` is what only some arms, or only newer versions, write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict


class JobContent(TypedDict):
    """What the seeds of an arm's fold share of `JobIdentity`.

    `inputs`, `label`, `arm` and `fit` are what was said beyond the defaults; `fold` has the first and the last day of
    each span; `data` and `parts` are hashes of what is read.
    """

    inputs: Mapping[str, object]
    label: Mapping[str, object]
    arm: Mapping[str, object]
    fold: Mapping[str, list[str]]
    every: int
    valid_every: int
    fit: Mapping[str, object]
    data: str
    precision: str
    numerics: int
    parts: NotRequired[Mapping[str, str]]


class JobIdentity(JobContent):
    """``job.json``: what a job's key is the hash of."""

    seed: int


class EpochRecord(TypedDict):
    """A row of ``log.jsonl``: mean loss of the steps, RankIC after them, wall and CPU seconds; `valid_top`, how far the
    labels of the 5 % best scores of validation days lie above all, which an earlier version didn't write."""

    epoch: int
    loss: float
    valid_rank_ic: float
    valid_top: NotRequired[float]
    steps: int
    seconds: float
    cpu: float


class CheckpointNote(TypedDict):
    """What a checkpoint says beside its tensors; see `Course`. `average_steps` 0 = no average of weights."""

    log: list[EpochRecord]
    best_epoch: int
    best_rank_ic: float
    best_top: NotRequired[float]
    average_steps: int


class DeepFactorRecord(TypedDict):
    """A deep factor's sign, +1 or −1, and with it the RankIC where the weighting was fitted."""

    name: str
    sign: int
    rank_ic: float


class WeightingRecord(TypedDict):
    """Of a weighting behind a network: `days_without_factors` by span, `importance` column -> share of the score."""

    weighting_valid_rank_ic: float
    days_without_factors: dict[str, int]
    importance: dict[str, float]
    deep_factors: list[DeepFactorRecord]


class FitRecord(TypedDict):
    """How a fit went: `best_epoch` of a network; the keys of `WeightingRecord` of a weighting, alone or behind one."""

    best_epoch: NotRequired[int]
    valid_rank_ic: float
    valid_top: NotRequired[float]
    weighting_valid_rank_ic: NotRequired[float]
    importance: NotRequired[dict[str, float]]
    deep_factors: NotRequired[list[DeepFactorRecord]]
    days_without_factors: NotRequired[dict[str, int]]
    cpu: NotRequired[float]


class FittedRecord(FitRecord):
    """`FitRecord` with the number of epochs."""

    epochs: int


class TrainedRecord(FittedRecord):
    """``trained.json``: what a fit says of itself. `left_out` by span and reason, `seconds` of the last process."""

    job: str
    device: str
    left_out: dict[str, dict[str, int]]
    seconds: float


class JobRecord(TrainedRecord):
    """``done``: what a finished job says of itself, and of the days that it has scored."""

    days_scored: int
    days_without_batch: int


class TrainedJob(FitRecord):
    """A job in ``training.json``, with its epochs one by one; none without a network."""

    key: NotRequired[str]
    fold: str
    seed: int
    left_out: NotRequired[dict[str, dict[str, int]]]
    seconds: NotRequired[float]
    epochs: list[EpochRecord]


class TrainingFile(TypedDict, total=False):
    """``training.json``, empty where nothing was trained; `importance` of weightings is the mean over the jobs."""

    jobs: list[TrainedJob]
    importance: Mapping[str, float | None]


class AxesFile(TypedDict):
    """``axes.json``: what rows and columns of ``scores.npy`` are of; `read` is a hash of each day that scores
    read, `scores` the checksum of the file."""

    dates: list[str]
    symbols: list[str]
    read: NotRequired[dict[str, str]]
    scores: NotRequired[str]


class WeightingFile(TypedDict):
    """``weighting.json`` of a job; `columns` and `signs` only behind a network."""

    kind: str
    state: Mapping[str, object]
    columns: NotRequired[list[str]]
    signs: NotRequired[list[int]]


class LayerCard(TypedDict):
    """A part of a network: its name, number of parameters, torch's words for it."""

    name: str
    parameters: int
    what: NotRequired[str]


class WeightingCard(TypedDict):
    """A weighting behind a network; an earlier version didn't write `beside`."""

    kind: str
    settings: Mapping[str, object]
    fit_on: str
    beside: NotRequired[list[str]]


class ScorerCard(TypedDict, total=False):
    """What scores, in its parts; `parameters` and `layers` of a network."""

    kind: str
    settings: Mapping[str, object]
    parameters: int
    layers: list[LayerCard]
    loss: str | Mapping[str, object]
    weighting: WeightingCard


class FoldCard(TypedDict):
    """A fold, with first and last day of each span."""

    name: str
    train: list[str]
    valid: list[str]
    test: list[str]


class ModelCard(ScorerCard, total=False):
    """``model_card.json``; a combination's has kind and settings alone, what was not made here is an empty one.

    `inputs` holds ``features`` and ``window`` where windows are read, and what each other input says of itself.
    """

    inputs: Mapping[str, object]
    label: Mapping[str, object]
    scaling: str | Mapping[str, object]
    fit: Mapping[str, object]
    seeds: list[int]
    published: str | None
    folds: list[FoldCard]
