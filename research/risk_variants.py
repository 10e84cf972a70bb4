"""What was tried to make forecasts of optimised portfolios right.

``python -m research.risk_variants MARKET FOLDER`` takes the targets that ``research.risk MARKET FOLDER`` left and
random portfolios, forecasts them weekly by the risk model and by every variant below, and writes
``docs/results/risk-variants.md``. What a variant is worth is read off 2013–2018; 2019–2022 are shown beside.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Float32, Float64, Indices
from deepfactor.core.files import write_text
from deepfactor.cross_section.clipping import clip_mad_rows
from deepfactor.cross_section.regression import weighted_fit
from deepfactor.cross_section.zscores import zscore, zscore_rows_by_cap
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.markets import Market, StyleSets, open_market
from deepfactor.risk.covariance import ENOUGH
from deepfactor.risk.decayed import Moments, decay_of
from deepfactor.risk.estimation import Market as Estimated
from deepfactor.risk.estimation import _explain
from deepfactor.risk.forecast import Forecast
from deepfactor.risk.model import RiskModel
from deepfactor.risk.opening import open_model
from deepfactor.risk.settings import RiskSettings
from deepfactor.styles.base import ROOM as STYLES
from research.risk import INDICES, SAID, SETS, START, WEEK, YEAR, Exposures, held_prices, portfolios

#: Until here variants are chosen.
CHOSEN_UNTIL = 2018
PAGE = Path(__file__).parents[1] / "docs" / "results" / "risk-variants.md"
#: Variants by name: what it is.
VARIANTS = {
    "as it is": "the risk model of the style set `barra_cne5`, settings as by default",
    "reversal style": "a style more: the 21-day return, clipped and standardised as the others",
    "score": "the score, orthogonal to the factors, as one more, uncorrelated with them (Saxena, Stubbs, 2013)",
    "eigenfactors": "the factors' principal portfolios scaled by their simulated bias (Menchero, Wang, Orr, 2011)",
    "regime 21": "half-life of the volatility regime 21 days in place of 42",
    "regime 10": "the same, 10 days",
    "half-lives 42": "half-lives of volatilities and specific risk 42 days in place of 84",
    "statistical": "ten principal components of 252 days of specific returns as factors more",
    "score, statistical": "both",
    "own past": "forecasts × the root mean square of what the same portfolio's weeks were of them, half-life 26 weeks",
    "score, own past": "the same of the forecasts with the score as a factor",
}
STATISTICAL, DAYS = 10, 252
#: Half-life, in weeks, of a portfolio's own bias, and weeks that 1 weighs at the start.
OWN, PRIOR = 26.0, 13.0
#: Returns that a simulation draws, simulations, and how much of the bias is taken (Menchero, Wang, Orr: 1.4).
EFFECTIVE, SIMULATIONS, SCALED = 242, 200, 1.4


@dataclass(frozen=True)
class Prepared:
    """Models by variant; specific returns (T, N), scores (T, N) orthogonal to the factors, what the score's factor
    varies by a year (T,)."""

    models: Mapping[str, RiskModel]
    styles: Mapping[str, Exposures]
    rest: Float32
    own: Float32
    variance: Float64


def reversal(market: Market) -> Float32:
    """The style (T, N)."""
    cap = market.panel["float_mv"].astype(np.float64)
    cap = np.where(market.universe.listed & (cap > 0), cap, np.nan)
    out = np.empty(cap.shape, np.float32)
    past = np.where(np.isfinite(cap), trailing_return(market.panel, 21), np.nan)
    for first in range(0, len(cap), 64):
        rows = slice(first, first + 64)
        out[rows] = zscore_rows_by_cap(clip_mad_rows(past[rows], 5.0), cap[rows])
    return out


def score_factor(market: Market, estimated: Estimated, out: Path) -> tuple[Float32, Float32, Float64]:
    """Specific returns, scores orthogonal to industries and styles (√market value as weights), and the daily variance a
    year of the return that one unit of them had beyond the factors: half-life 84, five lags, as for the factors."""
    place = out / "score.npz"
    if place.is_file():
        kept = np.load(place)
        return kept["rest"], kept["own"], kept["variance"]
    scores, eligible = -trailing_return(market.panel, 20), market.universe.eligible(UniverseRule())
    days, width = scores.shape
    rest, own = np.full((days, width), np.nan, np.float32), np.zeros((days, width), np.float32)
    variance, settings = np.full(days, np.nan), RiskSettings()
    moments, recent = Moments.none(1, settings.volatility_lags), np.full((settings.volatility_lags + 1, 1), np.nan)
    seen = market.universe.observed(252) >= np.minimum(np.arange(days) // 2 + 1, ENOUGH)[:, None]
    before = None
    for row in range(days):
        back = np.full(width, np.nan)
        if before is not None:
            _explain(estimated, row, before, seen[row - 1], back)
            rest[row] = back
            known = np.isfinite(back[before.columns])
            x, u, w = own[row - 1][before.columns][known], back[before.columns][known], np.sqrt(before.cap[known])
            spread = float((w * x * x).sum())
            value = float((w * x * u).sum()) / spread if spread > 0 else np.nan
            recent = np.vstack([[value], recent[:-1]])
            moments = moments.after(recent, decay_of(settings.volatility_half_life))
            variance[row] = moments.newey_west()[0] * YEAR
        before = estimated.stocks(row)
        at = before.columns
        scored = eligible[row][at] & np.isfinite(scores[row][at])
        if scored.sum() > 500:
            z = np.zeros(len(at))
            z[scored] = np.clip(zscore(clip_mad_rows(scores[row][at][scored][None], 5.0)[0]), -3.0, 3.0)
            fit = weighted_fit(z, before.exposures, before.group, np.sqrt(before.cap), before.groups)
            z -= fit.levels[before.group] + (fit.slopes[:, None] * before.exposures).sum(axis=0)
            own[row][at] = z
    np.savez(place, rest=rest, own=own, variance=variance)
    return rest, own, variance


def prepare(market: Market, out: Path) -> Prepared:
    """All models; what is in `out` is not made again."""
    base = dict(StyleSets(market).of(STYLES.choose("barra_cne5")).exposures)
    wide = base | {"REVERSAL": reversal(market)}
    wanted = {
        "as it is": (base, RiskSettings()),
        "reversal style": (wide, RiskSettings()),
        "regime 21": (base, RiskSettings(regime_half_life=21)),
        "regime 10": (base, RiskSettings(regime_half_life=10)),
        "half-lives 42": (base, RiskSettings(volatility_half_life=42, specific_half_life=42)),
    }
    models = {}
    for name, (styles, settings) in wanted.items():
        began = time.process_time()
        place = out / "models" / name.replace(" ", "-")
        place.mkdir(parents=True, exist_ok=True)
        models[name] = open_model(place, Estimated(market.panel, market.universe, styles), settings)
        print(f"model {name}: {time.process_time() - began:.0f} CPU-s", file=sys.stderr, flush=True)
    parts = score_factor(market, Estimated(market.panel, market.universe, base), out)
    print("score's factor made", file=sys.stderr, flush=True)
    return Prepared(models, {name: styles for name, (styles, _) in wanted.items()}, *parts)


def adjusted(covariance: Float64) -> Float64:
    """Eigenfactor adjustment: by how much sample covariances of so many returns understate the least principal
    portfolios and overstate the greatest, simulated, and taken off."""
    values, vectors = np.linalg.eigh(covariance)
    values, rng, bias = np.maximum(values, 1e-12), np.random.default_rng(0), np.zeros(len(covariance))
    for _ in range(SIMULATIONS):
        drawn = rng.standard_normal((EFFECTIVE, len(values))) * np.sqrt(values)
        said, seen = np.linalg.eigh(drawn.T @ drawn / EFFECTIVE)
        bias += ((seen**2).T @ values) / np.maximum(said, 1e-300)
    scale = SCALED * (np.sqrt(bias / SIMULATIONS) - 1) + 1
    return np.asarray((vectors * (scale**2 * values)) @ vectors.T)


def components(rest: Float32, row: int, specific: Float64, names: Indices) -> tuple[Float64, Float64]:
    """Loadings (names, K) a year of principal components of the last specific returns, half-life 84 days, each stock's
    scaled by its deviation; and what remains of the names' specific variances."""
    past = rest[row - DAYS + 1 : row + 1].astype(np.float64)
    weight = np.sqrt(decay_of(84.0) ** np.arange(DAYS)[::-1])
    weight /= np.sqrt((weight**2).sum())
    there = np.isfinite(past).sum(axis=0) >= DAYS // 2
    x = np.nan_to_num(past[:, there]) * weight[:, None]
    size = np.sqrt((x**2).sum(axis=0))
    _, vectors = np.linalg.eigh((x / np.where(size > 0, size, 1.0)) @ (x / np.where(size > 0, size, 1.0)).T)
    loadings = np.nan_to_num(past[:, names] * weight[:, None]).T @ vectors[:, -STATISTICAL:] * np.sqrt(YEAR)
    loadings[~there[names]] = 0.0
    share = (loadings**2).sum(axis=1)
    squeeze = np.sqrt(np.minimum(1.0, 0.9 * specific / np.where(share > 0, share, 1.0)))
    loadings *= squeeze[:, None]
    return loadings, specific - (loadings**2).sum(axis=1)


def variances(p: Prepared, market: Market, row: int, names: Indices, active: Float64, eigen: Float64) -> Float64:
    """(portfolios, variants but those of its own past) a year."""
    said: dict[str, Forecast] = {
        name: model.of_market(row, names, market.universe, p.styles[name]) for name, model in p.models.items()
    }
    plain = said["as it is"]
    of = {name: np.array([one.variance(a) for a in active]) for name, one in said.items()}
    of["score"] = of["as it is"] + (active @ p.own[row, names].astype(np.float64)) ** 2 * p.variance[row]
    exposure = active @ plain.exposures.T
    own = (active**2) @ plain.specific
    of["eigenfactors"] = ((exposure @ eigen) * exposure).sum(axis=1) + own
    loadings, left = components(p.rest, row, plain.specific, names)
    of["statistical"] = of["as it is"] - own + ((active @ loadings) ** 2).sum(axis=1) + (active**2) @ left
    of["score, statistical"] = of["statistical"] + of["score"] - of["as it is"]
    return np.array([of[name] for name in VARIANTS if "past" not in name]).T


@dataclass
class Weeks:
    """Of one sort of portfolio on one index: rows of year, return of a week, and forecast deviations by variant."""

    rows: list[tuple[float, ...]]

    def biases(self, years: range) -> Float64:
        """(variants,) standard deviation of returns over forecasts."""
        a = np.array(self.rows)
        own = (a[:, 0] >= years.start) & (a[:, 0] < years.stop)
        return np.asarray((a[own, 1:2] / a[own, 2:]).std(axis=0))


def with_own_past(rows: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Beside the forecasts those scaled by how far the weeks before came out, known when they are made."""
    names = [name for name in VARIANTS if "past" not in name]
    out, decay, last = [], decay_of(OWN), np.ones(2)
    sums, weight = np.full(2, PRIOR), PRIOR
    for row in rows:
        bare = np.array([row[2 + names.index("as it is")], row[2 + names.index("score")]])
        scaled = bare * np.sqrt(sums / weight)
        out.append((*row, *scaled))
        # The last week's five days may end after a short week's close: the one before it is over for certain.
        sums, weight, last = decay * sums + last, decay * weight + 1, (row[1] / bare) ** 2
    return out


def follow(market: Market, p: Prepared, out: Path) -> dict[tuple[str, str], Weeks]:
    """Every week's end, by index and sort."""
    panel, price = market.panel, held_prices(market)
    rows = np.flatnonzero(market.universe.week_ends())
    rows = rows[(panel.dates[rows] >= np.datetime64(START)) & (rows + WEEK < len(panel.dates))]
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    places = {(index, name): out / index / name for index in INDICES for name in SETS}
    places = {key: place for key, place in places.items() if (place / "weights.parquet").is_file()}
    eigen, eigen_year = np.zeros((0, 0)), 0
    for row in rows.tolist():
        year = int(str(panel.dates[row])[:4])
        base = np.asarray(p.models["as it is"].covariance[row])
        if year != eigen_year:
            ratio, eigen_year = _adjustment(base), year
        eigen = ratio @ base @ ratio.T
        for index in INDICES:
            if not market.universe.benchmark[index][row].sum() > 0.5:
                continue
            sorts, weights = zip(*portfolios(market, index, row, places), strict=True)
            active = np.array(weights)
            names = np.flatnonzero((active != 0).any(axis=0))
            active = active[:, names]
            said = np.sqrt(variances(p, market, row, names, active, eigen) * WEEK / YEAR)
            week = np.nan_to_num(price[row + WEEK, names] / price[row, names] - 1) @ active.T
            for k, sort in enumerate(sorts):
                found.setdefault((index, sort), []).append((float(year), float(week[k]), *said[k].tolist()))
    return {key: Weeks(with_own_past(value)) for key, value in found.items()}


def _adjustment(covariance: Float64) -> Float64:
    """A with A F Aᵀ = the adjusted F of the year's first week: the bias hangs on the number of returns most."""
    values, vectors = np.linalg.eigh(covariance)
    wide = vectors.T @ adjusted(covariance) @ vectors
    return np.asarray((vectors * np.sqrt(np.diagonal(wide) / np.maximum(values, 1e-12))) @ vectors.T)


def page(market: Market, found: Mapping[tuple[str, str], Weeks]) -> str:
    """``docs/results/risk-variants.md`` but what it says."""
    account = market.account()
    lines = [
        "# Forecasts of optimised portfolios: what was tried",
        "",
        "Made by",
        "",
        "```",
        "python -m research.risk MARKET FOLDER",
        "python -m research.risk_variants MARKET FOLDER",
        "```",
        "",
        f"Market: source `{account['source']}`, {' to '.join(account['span'])}, {account['stocks']} stocks.",
        "Bias: standard deviation of active returns of a week over the forecasts of the close before it, as in",
        "[risk](risk.md); the same portfolios, whatever forecasts them.",
        "",
        f"{len(VARIANTS) - 1} things were tried:",
        "",
        *(f"* *{name}*: {what}" for name, what in VARIANTS.items()),
    ]
    for title, years in (("2013–2018: to choose by", range(2013, 2019)), ("2019–2022", range(2019, 2023))):
        lines += ["", f"## {title}", "", f"| index | portfolios | {' | '.join(VARIANTS)} |"]
        lines.append(f"| --- | --- | {' | '.join('---:' for _ in VARIANTS)} |")
        table = []
        for (index, sort), one in found.items():
            table.append(one.biases(years))
            lines.append(f"| {INDICES[index]} | {sort} | {' | '.join(f'{x:.2f}' for x in table[-1])} |")
        chosen = np.array([sort in SETS for _, sort in found])
        for name, rows in (("optimised", chosen), ("random", ~chosen)):
            off = np.abs(np.array(table)[rows] - 1).mean(axis=0)
            lines.append(f"| | {name}: mean distance from 1 | {' | '.join(f'{x:.2f}' for x in off)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prepare, follow, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    market = open_market(given.market)
    found = follow(market, prepare(market, given.out), given.out)
    told = PAGE.read_text(encoding="utf-8").partition(SAID)[2] if PAGE.is_file() else "\n"
    write_text(PAGE, page(market, found) + "\n" + SAID + told)
    print(PAGE)


if __name__ == "__main__":
    main()
