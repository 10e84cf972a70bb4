"""Study A's second weighting: a weighting of a network's deep factors and of fundamental factors, after the network.

An arm with ``beside = []`` weighs the deep factors alone: what the fundamental ones add shows against it.

It runs inside the network's job, for factor 7 of one seed or fold is not factor 7 of another; arms that weigh the same
network's factors train it once (see `same_network`). With ``fit_on =
"held_out"`` the network is trained on the training span without its last year and the weighting on that year, purged at
the seam; with ``"train"`` both are fitted on the whole span, so that the weighting sees scores of days that the network
has learned by heart. Both stop early on the validation span.

Each deep factor's sign is fixed where the weighting is fitted: a higher one meant a higher label there on the whole.
A day on which the network has no deep factors (see `models._orthogonal`) gives no score, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from deepfactor.core.arrays import Float32, Indices
from deepfactor.core.errors import RecipeError
from deepfactor.inputs.fundamentals import Quarters
from deepfactor.inputs.standardising import zscored
from deepfactor.training.arms import Arm, Stacked
from deepfactor.training.baseline import Baseline
from deepfactor.training.data import TrainingData
from deepfactor.training.plan import Fold
from deepfactor.training.records import WeightingFile, WeightingRecord
from deepfactor.training.scorer import Scorer
from deepfactor.training.weightings.base import Fitted
from deepfactor.training.weightings.validation import mean_rank_ic

_IN_FORCE = 4  # quarters back that a figure may be and still stand for today's


def holds_out(arm: Arm) -> bool:
    """Whether the arm's network leaves a year to its weighting."""
    return isinstance(arm.scorer, Stacked) and arm.scorer.holds_out


def network_fold(arm: Arm, fold: Fold) -> Fold:
    """What the arm's network is trained on."""
    return replace(fold, train=fold.early) if holds_out(arm) else fold


def weighting_fold(arm: Arm, fold: Fold) -> Fold:
    """What the arm's weighting is fitted on."""
    return replace(fold, train=fold.late) if holds_out(arm) else fold


def check_factors(arm: Arm, network: nn.Module, key: str) -> None:
    """The network has deep factors.

    Raises
    ------
    RecipeError
        it has none.
    """
    if not hasattr(network, "factors"):
        raise RecipeError(
            f"{arm.scorer.named} has no deep factors that a weighting could read: take a network that ends in them, as "
            '{ kind = "bi_agru", orthogonal = true }',
            key=f"{key}.model",
        )


def check_fold(arm: Arm, fold: Fold, key: str) -> None:
    """There is something to hold out.

    Raises
    ------
    RecipeError
        the training span has no year to spare.
    """
    if holds_out(arm) and not (len(fold.early) and len(fold.late)):
        raise RecipeError(
            f"the last training year of fold {fold.name} is the weighting's, which leaves the network nothing: take "
            'plan.train_years = 2 or more, or fit_on = "train"',
            key=f"{key}.fit_on",
        )


@dataclass(frozen=True)
class Weighted:
    """A fitted weighting behind a network: of `names`, the first n of which are deep factors with `signs` (n,) ±1.

    It is given the `quarters` beside the deep factors; None = nothing.
    """

    scorer: Scorer
    quarters: Quarters | None
    fitted: Fitted
    names: tuple[str, ...]
    signs: Float32

    def scores(self, t: int) -> tuple[Indices, Float32]:
        """Columns and scores of day t's whole batch; NaN on a day without deep factors."""
        stocks, x = columns(self.scorer, self.quarters, t)
        if x is None:
            return stocks, np.full(len(stocks), np.nan, np.float32)
        x[:, : len(self.signs)] *= self.signs
        return stocks, self.fitted.predict(x).astype(np.float32)

    def state(self, kind: str) -> WeightingFile:
        """What ``weighting.json`` holds of a weighting of this kind."""
        return {
            "kind": kind,
            "state": self.fitted.state(),
            "columns": list(self.names),
            "signs": self.signs.astype(int).tolist(),
        }


def restored(scorer: Scorer, quarters: Quarters | None, fitted: Fitted, file: WeightingFile) -> Weighted:
    """What `Weighted.state` was of."""
    return Weighted(scorer, quarters, fitted, tuple(file["columns"]), np.array(file["signs"], np.float32))


@dataclass(frozen=True)
class SecondStage:
    """What fitting a weighting behind a network gives.

    Attributes
    ----------
    rank_ics : (n,)
        mean RankIC of the deep factors where the weighting is fitted, signs included.
    valid_rank_ic : mean RankIC of the weighted scores over the validation days
    lacking : span -> days of it that have no deep factors
    """

    weighted: Weighted
    rank_ics: tuple[float, ...]
    valid_rank_ic: float
    lacking: Mapping[str, int]

    def record(self) -> WeightingRecord:
        """What the job says of it."""
        own = self.weighted
        shares = zip(own.names, own.fitted.importance(), strict=True)
        deep = zip(own.names, own.signs, self.rank_ics, strict=False)
        return {
            "weighting_valid_rank_ic": self.valid_rank_ic,
            "days_without_factors": dict(self.lacking),
            "importance": {name: float(share) for name, share in shares},
            "deep_factors": [{"name": name, "sign": int(sign), "rank_ic": ic} for name, sign, ic in deep],
        }


def fit(
    baseline: Baseline, scorer: Scorer, quarters: Quarters | None, report: Callable[[int, int], None]
) -> SecondStage:
    """Fit the weighting of `baseline` on its fold, on what the fitted network says of these days, and the companies'
    quarters.

    Raises
    ------
    UserError
        no day of a span has enough labelled stocks, or deep factors.
    """
    data, lacking = scorer.sampler.data, []

    def known(t: int) -> tuple[Indices, Float32 | None]:
        stocks, x = columns(scorer, quarters, t)
        if x is None:
            lacking.append(t)
        return stocks, x

    train, valid = baseline.tables(data, known, report)
    spans = {"fit": baseline.fold.train, "valid": baseline.fold.valid}
    others = () if quarters is None else quarters.names
    count = train.x.shape[1] - len(others)
    means = np.array([mean_rank_ic(train.x[:, j].astype(np.float64), train) for j in range(count)])
    signs = np.where(means < 0, -1, 1).astype(np.float32)
    for one in (train, valid):
        one.x[:, :count] *= signs
    fitted = baseline.learn(train, valid)
    names = (*(f"deep_{j + 1:02d}" for j in range(count)), *others)
    return SecondStage(
        weighted=Weighted(scorer, quarters, fitted, names, signs),
        rank_ics=tuple(float(ic) for ic in means * signs),
        valid_rank_ic=mean_rank_ic(fitted.predict(valid.x), valid),
        lacking={name: sum(t in span for t in lacking) for name, span in spans.items()},
    )


def columns(scorer: Scorer, quarters: Quarters | None, t: int) -> tuple[Indices, Float32 | None]:
    """Columns of day t's batch; its deep factors, each z-scored, then its fundamental factors: (b, n + k)."""
    stocks, deep = scorer.factors(t)
    if deep is None:
        return stocks, None
    deep = deep - deep.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.square(deep).mean(axis=0))
    deep = np.divide(deep, spread, where=spread > 0, out=np.zeros_like(deep)).astype(np.float32)
    if quarters is None:
        return stocks, deep
    return stocks, np.concatenate([deep, fundamental_factors(quarters, t, stocks)], axis=1)


def quarters_beside(arm: Arm, data: TrainingData) -> Quarters | None:
    """The companies' quarters where the arm's weighting is given them; the network may read them all the same."""
    if not (isinstance(arm.scorer, Stacked) and arm.scorer.beside):
        return None
    held = data.inputs.held["fundamentals"]
    assert isinstance(held, Quarters)
    return held


def fundamental_factors(quarters: Quarters, t: int, stocks: Indices) -> Float32:
    """Day t's items of the batch `stocks` (b,), those of the newest of the last four quarters that has them: (b, k).

    Clipped at median ± 5·1.4826·MAD and z-scored over the batch, missing = 0.
    """
    x, _ = quarters.at(t, stocks)  # oldest quarter first
    newest = x[-1]
    for older in x[-2 : -_IN_FORCE - 1 : -1]:
        newest = np.where(np.isfinite(newest), newest, older)
    return zscored(np.ascontiguousarray(newest.T)).T
