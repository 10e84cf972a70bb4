"""What was tried to make forecasts of optimised portfolios right.

``python -m research.risk_variants MARKET FOLDER`` takes the targets that ``research.risk MARKET FOLDER`` left and
random portfolios, forecasts them weekly by the risk model and by every variant below, and writes
``docs/results/risk-variants.md``. What a variant is worth is read off 2013–2018; 2019–2022 are shown beside.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Bools, Float32, Float64
from deepfactor.core.files import write_text
from deepfactor.cross_section.clipping import clip_mad, clip_mad_rows
from deepfactor.cross_section.regression import weighted_fit
from deepfactor.cross_section.zscores import zscore, zscore_rows_by_cap
from deepfactor.panel.panel import rows_between
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.console import Silent
from deepfactor.pipeline.enhancing import backtest_to
from deepfactor.pipeline.markets import Market, StyleSets, open_market
from deepfactor.pipeline.risk import risk_model
from deepfactor.portfolio import presets
from deepfactor.recipe import Portfolio
from deepfactor.risk.decayed import Moments, decay_of
from deepfactor.risk.estimation import Market as Estimated
from deepfactor.risk.model import RiskModel
from deepfactor.risk.opening import open_model
from deepfactor.risk.settings import RiskSettings
from deepfactor.risk.specific import Stocks
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.styles.completion import complete_exposures
from research.risk import (
    END,
    INDICES,
    SAID,
    SETS,
    START,
    WEEK,
    YEAR,
    Exposures,
    Places,
    held_prices,
    portfolios,
    specific_returns,
    week_ends,
)

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
    "statistical": "ten principal components of 252 days of specific returns as factors more",
    "score, statistical": "both",
    "own past": "forecasts × the root mean square of what the same portfolio's weeks were of them, half-life 26 weeks",
    "score, own past": "the same of the forecasts with the score as a factor",
}
STATISTICAL, DAYS = 10, 252
#: The index on which a limit sees reversal too.
SEEN = "000905.SH"
#: Scored stocks below which a day's score is no factor.
LEAST = 500
#: Half-life, in weeks, of a portfolio's own bias, and weeks that 1 weighs at the start.
OWN, PRIOR = 26.0, 13.0
#: Returns that a simulation draws, simulations, and how much of the bias is taken (Menchero, Wang, Orr: 1.4).
EFFECTIVE, SIMULATIONS, SCALED = 242, 200, 1.4


@dataclass(frozen=True)
class Prepared:
    """Models by variant and all of their styles; specific returns (T, N), scores (T, N) orthogonal to the factors, what
    the score's factor varies by a year (T,)."""

    models: Mapping[str, RiskModel]
    styles: Exposures
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


def orthogonal(score: Float64, eligible: Bools, stocks: Stocks) -> Float64:
    """(n,) the score of a day's stocks, clipped, standardised, 0 where there is none, less what industries and styles
    explain of it by √market value."""
    own, out = score[stocks.columns], np.zeros(len(stocks.columns))
    scored = eligible[stocks.columns] & np.isfinite(own)
    if scored.sum() < LEAST:
        return out
    out[scored] = np.clip(zscore(clip_mad(own[scored], 5.0)), -3.0, 3.0)
    fit = weighted_fit(out, stocks.exposures, stocks.group, np.sqrt(stocks.cap), stocks.groups)
    return np.asarray(out - fit.levels[stocks.group] - (fit.slopes[:, None] * stocks.exposures).sum(axis=0))


def score_factor(market: Market, estimated: Estimated, rest: Float32, out: Path) -> tuple[Float32, Float64]:
    """Scores (T, N) orthogonal to industries and styles, and what (T,) the return varies by a year that one unit of
    them had beyond the factors: half-life 84, five lags, as for the factors."""
    place = out / "score.npz"
    if place.is_file():
        kept = np.load(place)
        return kept["own"], kept["variance"]
    scores, eligible = -trailing_return(market.panel, 20), market.universe.eligible(UniverseRule())
    days, width = scores.shape
    own, variance = np.zeros((days, width), np.float32), np.full(days, np.nan)
    settings = RiskSettings()
    moments, recent = Moments.none(1, settings.volatility_lags), np.full((settings.volatility_lags + 1, 1), np.nan)
    before = None
    for row in range(days):
        if before is not None:
            back = rest[row][before.columns].astype(np.float64)
            known = np.isfinite(back)
            x, u, w = own[row - 1][before.columns][known], back[known], np.sqrt(before.cap[known])
            spread = float((w * x * x).sum())
            value = float((w * x * u).sum()) / spread if spread > 0 else np.nan
            recent = np.vstack([[value], recent[:-1]])
            moments = moments.after(recent, decay_of(settings.volatility_half_life))
            variance[row] = moments.newey_west()[0] * YEAR
        before = estimated.stocks(row)
        own[row][before.columns] = orthogonal(scores[row], eligible[row], before)
    np.savez(place, own=own, variance=variance)
    return own, variance


def prepare(market: Market, out: Path) -> Prepared:
    """All models; what is in `out` is not made again."""
    kind = STYLES.choose("barra_cne5")
    base = dict(StyleSets(market).of(kind).exposures)
    wide = base | {"REVERSAL": reversal(market)}
    models = {"as it is": risk_model(market, kind, base, RiskSettings())}
    wanted = {"reversal style": (wide, RiskSettings()), "regime 21": (base, RiskSettings(regime_half_life=21))}
    for name, (styles, settings) in wanted.items():
        place = out / "models" / name.replace(" ", "-")
        place.mkdir(parents=True, exist_ok=True)
        models[name] = open_model(place, Estimated(market.panel, market.universe, styles), settings)
        print(f"model {name}: {time.process_time():.0f} CPU-s", file=sys.stderr, flush=True)
    estimated = Estimated(market.panel, market.universe, base)
    rest = specific_returns(estimated, out / "specific.npy")
    return Prepared(models, wide, rest, *score_factor(market, estimated, rest, out))


def bounded(market: Market, p: Prepared, out: Path) -> Path:
    """The backtest on `SEEN` whose tracking error was bounded by the model with reversal, the style left free."""
    place, file = out / SEEN / "study_b_te_reversal", out / "study_b_te_reversal.toml"
    if not (place / "summary.json").is_file():
        preset = (Path(presets.__file__).parent / "presets" / "study_b_te.toml").read_text(encoding="utf-8")
        write_text(file, preset.replace("default = 0.3", "default = 0.3\nlimits = { REVERSAL = 10.0 }"))
        panel, values = market.panel, -trailing_return(market.panel, 20)
        inside = np.zeros(len(panel.dates), dtype=bool)
        inside[rows_between(panel.dates, START, END)] = True
        there = inside & market.universe.member_mask(SEEN).any(axis=1)
        scores = Scores("reversal_20", panel.dates, panel.symbols, np.where(there[:, None], values, np.nan))
        eligible, portfolio = market.universe.eligible(UniverseRule()), Portfolio(index=SEEN, constraints=str(file))
        model = p.models["reversal style"]
        backtest_to(place, market, scores, p.styles, portfolio, eligible, Silent(), risk=model)
    return place


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


def components(rest: Float32, row: int) -> Float64:
    """(N, K) loadings a year of principal components of the last specific returns, half-life 84 days; in finding them
    each stock counts by its own deviation."""
    past = rest[row - DAYS + 1 : row + 1].astype(np.float64)
    weight = np.sqrt(decay_of(84.0) ** np.arange(DAYS)[::-1])
    weight /= np.sqrt((weight**2).sum())
    there = np.isfinite(past).sum(axis=0) >= DAYS // 2
    x = np.where(there, np.nan_to_num(past), 0.0) * weight[:, None]
    size = np.sqrt((x**2).sum(axis=0))
    even = x / np.where(size > 0, size, 1.0)
    _, vectors = np.linalg.eigh(even @ even.T)
    return np.asarray(x.T @ vectors[:, -STATISTICAL:] * np.sqrt(YEAR))


def kept_small(loadings: Float64, specific: Float64) -> tuple[Float64, Float64]:
    """Loadings (n, K) that take at most nine tenths of a name's specific variance (n,), and what is left of that."""
    share = (loadings**2).sum(axis=1)
    squeeze = np.sqrt(np.minimum(1.0, 0.9 * specific / np.where(share > 0, share, 1.0)))
    loadings = loadings * squeeze[:, None]
    return loadings, specific - (loadings**2).sum(axis=1)


def variances(p: Prepared, market: Market, row: int, active: Float64, week: tuple[Float64, Float64]) -> Float64:
    """(portfolios, variants but those of its own past) a year, of active weights (portfolios, N); `week`: the adjusted
    covariance and the components' loadings."""
    names = np.flatnonzero((active != 0).any(axis=0))
    active, industry, (eigen, loadings) = active[:, names], market.universe.industry[row], week
    wide, _ = complete_exposures(p.styles, row, names, industry)
    of: dict[str, Float64] = {}
    for name, model in p.models.items():
        forecast = model.forecast(row, names, industry[names], {key: wide[key] for key in model.styles})
        exposure, own = active @ forecast.exposures.T, (active**2) @ forecast.specific
        of[name] = ((exposure @ forecast.covariance) * exposure).sum(axis=1) + own
        if name == "as it is":
            of["eigenfactors"] = ((exposure @ eigen) * exposure).sum(axis=1) + own
            few, left = kept_small(loadings[names], forecast.specific)
            of["statistical"] = of[name] - own + ((active @ few) ** 2).sum(axis=1) + (active**2) @ left
    score = (active @ p.own[row, names].astype(np.float64)) ** 2 * p.variance[row]
    of["score"], of["score, statistical"] = of["as it is"] + score, of["statistical"] + score
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


def follow(market: Market, p: Prepared, places: Places) -> dict[tuple[str, str], Weeks]:
    """Every week's end, by index and sort; `places` of the backtests."""
    panel, price = market.panel, held_prices(market)
    rows = week_ends(market)
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    ratio, eigen_year = np.zeros((0, 0)), 0
    for row in rows.tolist():
        year = int(str(panel.dates[row])[:4])
        base = np.asarray(p.models["as it is"].covariance[row])
        if year != eigen_year:
            ratio, eigen_year = _adjustment(base), year
        of_week = ratio @ base @ ratio.T, components(p.rest, row)
        for index in dict.fromkeys(index for index, _ in places):
            if not market.universe.benchmark[index][row].sum() > 0.5:
                continue
            sorts, weights = zip(*portfolios(market, index, row, places), strict=True)
            active = np.array(weights)
            said = np.sqrt(variances(p, market, row, active, of_week) * WEEK / YEAR)
            names = np.flatnonzero((active != 0).any(axis=0))
            week = np.nan_to_num(price[row + WEEK, names] / price[row, names] - 1) @ active[:, names].T
            for k, sort in enumerate(sorts):
                found.setdefault((index, sort), []).append((float(year), float(week[k]), *said[k].tolist()))
    return {key: Weeks(with_own_past(value)) for key, value in found.items()}


def _adjustment(covariance: Float64) -> Float64:
    """A with A F Aᵀ = the adjusted F of the year's first week: the bias hangs on the number of returns most."""
    values, vectors = np.linalg.eigh(covariance)
    wide = vectors.T @ adjusted(covariance) @ vectors
    return np.asarray((vectors * np.sqrt(np.diagonal(wide) / np.maximum(values, 1e-12))) @ vectors.T)


def page(market: Market, found: Mapping[tuple[str, str], Weeks], seen: Weeks, place: Path) -> str:
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
    whole = json.loads((place / "summary.json").read_text())["all"]
    realised = json.loads((place / "risk.json").read_text())["all"]
    lines += [
        "",
        "## A limit that sees reversal",
        "",
        f"*study_b_te* on {INDICES[SEEN]} once more, its limit of 5 % by the model with reversal, the style left free:",
        f"forecast tracking error {realised['tracking_error'] * 100:.2f} %, realised",
        f"{realised['realised'] * 100:.2f} % (replica), excess {whole['excess'] * 100:+.2f} % a year after cost.",
        "Bias of its targets:",
        "",
        "| years | as it is | reversal style |",
        "| --- | ---: | ---: |",
    ]
    names = list(VARIANTS)
    for years in (range(2013, 2019), range(2019, 2023)):
        bias = seen.biases(years)
        plain, wide = bias[names.index("as it is")], bias[names.index("reversal style")]
        lines.append(f"| {years.start}–{years.stop - 1} | {plain:.2f} | {wide:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prepare, follow, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    market = open_market(given.market)
    p = prepare(market, given.out)
    places = {(index, name): given.out / index / name for index in INDICES for name in SETS}
    found = follow(market, p, places)
    place = bounded(market, p, given.out)
    seen = follow(market, p, {(SEEN, "study_b_te"): place})[SEEN, "study_b_te"]
    told = PAGE.read_text(encoding="utf-8").partition(SAID)[2] if PAGE.is_file() else "\n"
    write_text(PAGE, page(market, found, seen, place) + "\n" + SAID + told)
    print(PAGE)


if __name__ == "__main__":
    main()
