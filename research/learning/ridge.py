"""Ridge regression on exactly the windows that the networks read: the linear yardstick.

The windows of all training days enter one Gram matrix (150 lags × 6 features = 900 inputs). A second regression on
three-day means (300 inputs) needs no windows of its own: its inputs are linear in the first one's. Each has the
penalty that is best on the validation days' RankIC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Float64, Indices
from deepfactor.cross_section.correlation import spearman
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise

PATCH = 3
#: Penalties, as a share of the number of samples (inputs have variance about 1).
PENALTIES = (0.01, 0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


@dataclass(frozen=True)
class Ridge:
    """A fitted regression: `weights` (L·f,) on windows flattened lag by lag."""

    name: str
    penalty: float
    valid_rank_ic: float
    weights: Float64


def fit(sampler: Sampler, fold: Fold, valid_every: int, min_stocks: int) -> list[Ridge]:
    """Ridge on all inputs and on patch means, each with the penalty that is best on the validation days.

    Parameters
    ----------
    valid_every : validate on every n-th day. All training days enter: the networks see them all as epochs go by.
    min_stocks : leave out days with fewer labelled stocks, as the networks' fit does.
    """
    gram, moment, samples = _moments(sampler, _days(sampler, fold.train, min_stocks))
    lags, features = sampler.data.window, len(sampler.data.features.names)
    bases = {"ridge, 3-day means": _patch_means(lags, features), "ridge, all lags": np.eye(lags * features)}
    weights = {
        (name, penalty): basis @ _solve(basis.T @ gram @ basis, basis.T @ moment, penalty * samples)
        for name, basis in bases.items()
        for penalty in PENALTIES
    }
    stacked = np.stack(list(weights.values()), axis=1)
    found = _validate(sampler, _days(sampler, fold.valid[::valid_every], min_stocks), stacked)
    fits = [Ridge(*key, value, w) for (key, w), value in zip(weights.items(), found.tolist(), strict=True)]
    return [max((f for f in fits if f.name == name), key=lambda f: f.valid_rank_ic) for name in bases]


def predict(sampler: Sampler, days: range, ridges: Iterable[Ridge]) -> dict[str, Float64]:
    """Scores (days, N) of each regression; NaN where a stock is not scored."""
    fits = list(ridges)
    stacked = np.stack([f.weights for f in fits], axis=1)
    out = np.full((len(fits), len(days), len(sampler.data.symbols)), np.nan)
    for i, t in enumerate(days):
        stocks, x = _inputs(sampler, t)
        out[:, i, stocks] = (x @ stacked).T
    return {f.name: values for f, values in zip(fits, out, strict=True)}


def _days(sampler: Sampler, span: range, min_stocks: int) -> list[int]:
    data = sampler.data
    return [t for t in span if len(data.labelled(t, data.stocks(t))) >= min_stocks]


def _inputs(sampler: Sampler, t: int) -> tuple[Indices, Float64]:
    """Columns (b,) and flattened standardised windows (b, L·f) of day t."""
    windows = sampler.cross_section(t, frozenset({"windows"})).windows.numpy()  # (L, b, f)
    return sampler.data.stocks(t), windows.transpose(1, 0, 2).reshape(windows.shape[1], -1).astype(np.float64)


def _moments(sampler: Sampler, days: list[int]) -> tuple[Float64, Float64, int]:
    """XᵀX, Xᵀy and the number of samples over the labelled stocks of `days`; y as the networks' IC loss takes it."""
    gram, moment, samples = np.zeros(()), np.zeros(()), 0
    for t in days:
        stocks, x = _inputs(sampler, t)
        labelled = sampler.data.labelled(t, stocks)
        y = standardise(sampler.data.label[t, stocks[labelled]], "rank").astype(np.float64)
        x = x[labelled]
        gram, moment, samples = gram + x.T @ x, moment + x.T @ y, samples + len(y)
    return gram, moment, samples


def _solve(gram: Float64, moment: Float64, penalty: float) -> Float64:
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), moment)


def _patch_means(lags: int, features: int) -> Float64:
    """(L·f, L/3·f): three-day means of each feature."""
    mean = np.kron(np.eye(lags // PATCH), np.full((PATCH, 1), 1 / PATCH))
    return np.kron(mean, np.eye(features))


def _validate(sampler: Sampler, days: list[int], weights: Float64) -> Float64:
    """Mean RankIC of each column of `weights` with the neutralised label."""
    daily = []
    for t in days:
        stocks, x = _inputs(sampler, t)
        labelled = sampler.data.labelled(t, stocks)
        label = sampler.data.label[t, stocks[labelled]]
        daily.append([spearman(score, label) for score in (x[labelled] @ weights).T])
    return np.mean(daily, axis=0)
