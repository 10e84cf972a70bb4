"""How right a risk model's forecasts are on the real market, and what a bound on the tracking error does.

``python -m research.risk MARKET FOLDER`` follows minus the 20-day return on CSI 300, 500 and 1000 under study B's
bounds, with and without a tracking error of at most 5 %, 2013–2022 (what is done is not done again); forecasts weekly
the active risk of these portfolios and of random ones by the risk model, by skfolio's estimators on the same factors,
by the sample covariance of 252 days, and by that of Ledoit and Wolf (2004); and writes ``docs/results/risk.md``.
Nothing was tuned: settings are the defaults.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.core.arrays import Float32, Float64, Floats, Indices
from deepfactor.core.files import write_json, write_text
from deepfactor.panel.panel import rows_between
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.console import Silent
from deepfactor.pipeline.enhancing import backtest_to
from deepfactor.pipeline.markets import Market, StyleSets, open_market
from deepfactor.pipeline.risk import risk_model
from deepfactor.recipe import Portfolio
from deepfactor.risk.covariance import ENOUGH
from deepfactor.risk.estimation import Market as Estimated
from deepfactor.risk.estimation import _explain
from deepfactor.risk.forecast import Forecast
from deepfactor.risk.model import RiskModel
from deepfactor.risk.settings import RiskSettings
from deepfactor.runs.environment import machine
from deepfactor.styles.base import ROOM as STYLES
from research.skfolio_model import SkfolioModel, follow

Exposures = dict[str, Floats]
#: Folders of backtests by index and constraints.
Places = dict[tuple[str, str], Path]
INDICES = {"000300.SH": "CSI 300", "000905.SH": "CSI 500", "000852.SH": "CSI 1000"}
SETS = ("study_b", "study_b_te")
START, END = "2013-01-01", "2022-12-30"
WINDOW, WEEK, YEAR = 252, 5, 252
#: Random portfolios a week and sort.
RANDOM = 4
METHODS = ("risk model", "skfolio", "sample, 252 days", "Ledoit–Wolf, 252 days")
SAID = "## What it says"
PAGE = Path(__file__).parents[1] / "docs" / "results" / "risk.md"


@dataclass(frozen=True)
class Forecasts:
    """Of one sort of portfolio on one index: years (R,), returns of a week (R,), sums of squared daily returns (R,),
    forecast deviations of a week (R, methods).

    `parts` (R, 3): the week's return by factors, and by what they leave, over their forecasts; and the sum of squares
    of what they leave of each name, as if names were independent, over the forecast variance.
    """

    years: Float64
    weekly: Float64
    squared: Float64
    forecast: Float64
    parts: Float64

    def bias(self, method: int, year: int | None = None) -> float:
        """Standard deviation of returns over their forecasts."""
        own = slice(None) if year is None else self.years == year
        return float((self.weekly[own] / self.forecast[own, method]).std())

    def q_like(self, method: int, year: int | None = None) -> float:
        """Mean of x − ln x − 1, x = realised ÷ forecast variance: 0 is best."""
        own = slice(None) if year is None else self.years == year
        x = self.squared[own] / self.forecast[own, method] ** 2
        return float((x - np.log(x) - 1).mean())


def backtests(market: Market, out: Path, styles: Exposures, model: RiskModel) -> Places:
    """Folders by index and constraints."""
    panel = market.panel
    values = -trailing_return(panel, 20)
    inside = np.zeros(len(panel.dates), dtype=bool)
    inside[rows_between(panel.dates, START, END)] = True
    eligible = market.universe.eligible(UniverseRule())
    places = {}
    for index in INDICES:
        there = inside & market.universe.member_mask(index).any(axis=1)
        scores = Scores("reversal_20", panel.dates, panel.symbols, np.where(there[:, None], values, np.nan))
        for name in SETS:
            place = places[index, name] = out / index / name
            if not (place / "summary.json").is_file():
                risk = model if name == "study_b_te" else None
                portfolio = Portfolio(index=index, constraints=name)
                backtest_to(place, market, scores, styles, portfolio, eligible, Silent(), risk=risk)
                print(f"followed {place}", file=sys.stderr, flush=True)
    return places


def held_prices(market: Market) -> Float64:
    """Adjusted last closes (T, N)."""
    price = market.panel["close"].astype(np.float64) * market.panel["adj_factor"]
    for t in range(1, len(price)):
        np.copyto(price[t], price[t - 1], where=np.isnan(price[t]))
    return price


def portfolios(market: Market, index: str, row: int, places: Places) -> Iterator[tuple[str, Float64]]:
    """Sorts and active weights (N,) at the close of a row: random ones, and the last targets of the backtests."""
    universe, rng = market.universe, np.random.default_rng([row, sum(map(ord, index))])
    bench = universe.benchmark[index][row].astype(np.float64)
    bench /= bench.sum()
    traded, members = np.flatnonzero(universe.traded[row]), np.flatnonzero(bench)
    for _ in range(RANDOM):
        weights = np.zeros(len(bench))
        weights[rng.choice(traded, 100, replace=False)] = 0.01
        yield "100 of all", weights - bench
        weights = np.zeros(len(bench))
        some = rng.choice(members, len(members) // 3, replace=False)
        weights[some] = bench[some] / bench[some].sum()
        yield "a third of the members", weights - bench
    for name in SETS:
        if (index, name) in places and (target := _target(market, places[index, name], row)) is not None:
            yield name, target - target.sum() * bench


_WEIGHTS: dict[Path, dict[object, tuple[Float64, Float64]]] = {}


def _target(market: Market, place: Path, row: int) -> Float64 | None:
    """(N,) the target decided at the close of a row."""
    if place not in _WEIGHTS:
        table = pl.read_parquet(place / "weights.parquet", glob=False).filter(pl.col("weight") > 0)
        _WEIGHTS[place] = {
            date[0]: (part["symbol"].to_numpy(), part["weight"].to_numpy())
            for date, part in table.partition_by("date", as_dict=True).items()
        }
    found = _WEIGHTS[place].get(market.panel.dates[row].item())
    if found is None:
        return None
    out = np.zeros(len(market.panel.symbols))
    out[np.searchsorted(market.panel.symbols, found[0].astype(str))] = found[1]
    return out


def sample_variances(returns: Float64, active: Float64) -> tuple[Float64, Float64]:
    """Daily variances of portfolios (P, n) by the sample covariance of returns (W, n), and by Ledoit and Wolf's: shrunk
    to the mean variance on the diagonal."""
    days, n = returns.shape
    x = returns - returns.mean(axis=0)
    gram = x @ x.T
    own = np.diagonal(gram)
    mean = own.sum() / days / n
    square = (gram**2).sum() / days**2
    distance = square / n - mean**2
    noise = min(((own**2).sum() - days * square) / days**2 / n, distance)
    shrink = noise / distance
    plain = ((x @ active.T) ** 2).mean(axis=0)
    return plain, (1 - shrink) * plain + shrink * mean * (active**2).sum(axis=1)


def specific_returns(estimated: Estimated, place: Path) -> Float32:
    """(T, N) what the factors leave of each day's returns, NaN = none; kept in the file `place`."""
    if place.is_file():
        return np.asarray(np.load(place))
    days, width = estimated.panel.shape
    out, before = np.full((days, width), np.nan, np.float32), None
    seen = estimated.universe.observed(WINDOW) >= np.minimum(np.arange(days) // 2 + 1, ENOUGH)[:, None]
    for row in range(days):
        if before is not None:
            rest = np.full(width, np.nan)
            _explain(estimated, row, before, seen[row - 1], rest)
            out[row] = rest
        before = estimated.stocks(row)
    np.save(place, out)
    return out


def week_ends(market: Market) -> Indices:
    """Rows of the weeks' ends that have five days behind them."""
    rows = np.flatnonzero(market.universe.week_ends())
    dates = market.panel.dates
    return np.asarray(rows[(dates[rows] >= np.datetime64(START)) & (rows + WEEK < len(dates))])


def forecasts(
    market: Market, models: tuple[RiskModel, SkfolioModel], styles: Exposures, places: Places
) -> dict[tuple[str, str], Forecasts]:
    """By index and sort of portfolio, of every week's end."""
    panel, price, (model, other) = market.panel, held_prices(market), models
    rows = week_ends(market)
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for index in INDICES:
        began = time.process_time()
        for row in rows.tolist():
            if not market.universe.benchmark[index][row].sum() > 0.5:
                continue
            sorts, weights = zip(*portfolios(market, index, row, places), strict=True)
            active = np.array(weights)
            names = np.flatnonzero((active != 0).any(axis=0))
            active = active[:, names]
            forecast = model.of_market(row, names, market.universe, styles)
            theirs = other.of_market(row, names, market.universe, styles)
            past = np.nan_to_num(price[row - WINDOW + 1 : row + 1, names] / price[row - WINDOW : row, names] - 1)
            variances = sample_variances(past, active)
            ahead = np.nan_to_num(price[row + 1 : row + WEEK + 1, names] / price[row : row + WEEK, names] - 1)
            daily = ahead @ active.T
            week = np.nan_to_num(price[row + WEEK, names] / price[row, names] - 1) @ active.T
            returns = np.nan_to_num(model.returns[row + 1 : row + WEEK + 1])
            for k, sort in enumerate(sorts):
                by_factors = [one.tracking_error(active[k]) / np.sqrt(YEAR) for one in (forecast, theirs)]
                scaled = [one * np.sqrt(WEEK) for one in (*by_factors, *(np.sqrt(v[k]) for v in variances))]
                year = float(str(panel.dates[row])[:4])
                parts = split(forecast, active[k], ahead, returns)
                found.setdefault((index, sort), []).append((year, week[k], (daily[:, k] ** 2).sum(), *scaled, *parts))
        print(f"forecast {index}: {time.process_time() - began:.0f} CPU-s", file=sys.stderr, flush=True)
    last = 3 + len(METHODS)
    return {key: Forecasts(*(a := np.array(v)).T[:3], a[:, 3:last], a[:, last:]) for key, v in found.items()}


def split(forecast: Forecast, active: Float64, ahead: Float64, returns: Float64) -> tuple[float, float, float]:
    """Of active weights (n,) over days ahead (D, n) with factor returns (D, k): see `Forecasts.parts`."""
    days = len(ahead) / YEAR
    share = forecast.specific_share(active)
    variance = forecast.variance(active)
    common = returns @ forecast.exposures
    own = (ahead - common) * active
    by_factors = float((common @ active).sum()) / np.sqrt(max((1 - share) * variance * days, 1e-18))
    rest = float(own.sum()) / np.sqrt(max(share * variance * days, 1e-18))
    return by_factors, rest, float((own**2).sum() / max(share * variance * days, 1e-18))


def paired(places: Places, index: str) -> tuple[float, float]:
    """Excess of the bounded portfolio over the other, log a year, and its t over days."""
    curves = [pl.read_parquet(places[index, name] / "nav.parquet", glob=False)["nav"].to_numpy() for name in SETS]
    daily = np.diff(np.log(curves[1])) - np.diff(np.log(curves[0]))
    return float(daily.mean() * YEAR), float(daily.mean() / daily.std(ddof=1) * np.sqrt(len(daily)))


def page(market: Market, found: dict[tuple[str, str], Forecasts], places: Places, seconds: float) -> str:
    """``docs/results/risk.md``."""
    account = market.account()
    lines = [
        "# Risk model and bound on the tracking error, on real data",
        "",
        "Made by",
        "",
        "```",
        "python -m research.risk MARKET FOLDER",
        "```",
        "",
        f"Market: source `{account['source']}`, {' to '.join(account['span'])}, {account['stocks']} stocks.",
        f"Machine: {machine()['processor']}. Model: `barra_cne5`, settings as by default; nothing was tuned.",
        f"The model of all {account['days']:,} days took {seconds:.0f} CPU-seconds on a busy core, without its styles.",
        "",
        f"## Bias by year, {START[:4]}–{END[:4]}",
        "",
        "Standard deviation of active returns of a week over the forecasts of the close before it: 1 is right, below",
        "1 the forecast was too high. *100 of all*: a hundred traded stocks at 1 % each; *a third of the members* at",
        f"their index weights among themselves; {RANDOM} of each a week, drawn anew. *study_b*, *study_b_te*: targets",
        "of the backtests below. Against the replica.",
        "",
    ]
    years = sorted({int(y) for one in found.values() for y in one.years})
    lines += [
        f"| index | portfolios | all | {' | '.join(map(str, years))} |",
        f"| --- | --- | ---: | {' | '.join('---:' for _ in years)} |",
    ]
    for (index, sort), one in found.items():
        by_year = (f"{one.bias(0, y):.2f}" if (one.years == y).any() else "–" for y in years)
        lines.append(f"| {INDICES[index]} | {sort} | {one.bias(0):.2f} | {' | '.join(by_year)} |")
    lines += [
        "",
        "## Beside skfolio and sample covariances",
        "",
        "*skfolio*: what its `CharacteristicsFactorModel` (1.12) does by default to the returns of the same",
        "regression: `RegimeAdjustedEWCovariance` of the factors, `RegimeAdjustedEWVariance` of stocks, half-life 40",
        "days.",
        "Q-like: mean of x − ln x − 1, x = sum of the week's five squared daily active returns over the forecast",
        "variance; less is better, 0 the least.",
        "",
        f"| index | portfolios | {heads('bias')} | {heads('Q-like')} |",
        f"| --- | --- | {' | '.join('---:' for _ in range(2 * len(METHODS)))} |",
    ]
    for (index, sort), one in found.items():
        biases = " | ".join(f"{one.bias(m):.2f}" for m in range(len(METHODS)))
        losses = " | ".join(f"{one.q_like(m):.3f}" for m in range(len(METHODS)))
        lines.append(f"| {INDICES[index]} | {sort} | {biases} | {losses} |")
    lines += [
        "",
        "Q-like by year, of the risk model and of skfolio:",
        "",
        f"| index | portfolios | {' | '.join(map(str, years))} |",
        f"| --- | --- | {' | '.join('---:' for _ in years)} |",
    ]
    for (index, sort), one in found.items():
        pairs = (f"{one.q_like(0, y):.2f} / {one.q_like(1, y):.2f}" if (one.years == y).any() else "–" for y in years)
        lines.append(f"| {INDICES[index]} | {sort} | {' | '.join(pairs)} |")
    lines += [
        "",
        "## By part",
        "",
        "Bias of the week's active return by factors, and by what they leave; and the root mean square of what they",
        "leave of each name, added up as if names were independent, over its forecast: where that is near 1 and the",
        "bias is not, names move together beyond the factors.",
        "",
        "| index | portfolios | factors | specific | specific, name by name |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for (index, sort), one in found.items():
        deviation, own = one.parts.std(axis=0), np.sqrt(one.parts[:, 2].mean())
        lines.append(f"| {INDICES[index]} | {sort} | {deviation[0]:.2f} | {deviation[1]:.2f} | {own:.2f} |")
    lines += [
        "",
        "## The same score with and without the bound",
        "",
        "Minus the 20-day return under study B's bounds, and the same with a forecast tracking error of at most 5 %.",
        "After cost, by study B's definitions, against the price index; *difference*: log return a year of the bounded",
        "portfolio less the other's, with its t over days.",
        "",
        "| index | constraints | excess | tracking error | IR | excess drawdown | forecast TE | realised TE (replica) "
        "| specific share | transfer coefficient | breadth | relaxed rebalances | difference | t |",
        f"| --- | --- | {' | '.join('---:' for _ in range(12))} |",
    ]
    for (index, name), place in places.items():
        whole = json.loads((place / "summary.json").read_text())["all"]
        bounded = name == "study_b_te"
        risk = json.loads((place / "risk.json").read_text())["all"] if bounded else None
        of_risk = ["–"] * 5
        if risk is not None:
            of_risk = [
                f"{risk['tracking_error']:.2%}", f"{risk['realised']:.2%}", f"{risk['specific_share']:.0%}",
                f"{risk['transfer_coefficient']:.2f}", f"{risk['breadth']:.0f}",
            ]  # fmt: skip
        difference, t = paired(places, index) if (index, SETS[0]) in places and bounded else (np.nan, np.nan)
        cells = [
            f"{whole['excess']:+.2%}", f"{whole['tracking_error']:.2%}", f"{whole['information_ratio']:.2f}",
            f"{whole['excess_max_drawdown']:.2%}", *of_risk, f"{whole['relaxed_rebalances']} of {whole['rebalances']}",
            *((f"{difference:+.2%}", f"{t:.2f}") if bounded else ("–", "–")),
        ]  # fmt: skip
        lines.append(f"| {INDICES[index]} | {name} | {' | '.join(cells)} |".replace("%", " %").replace("-", "−"))
    return "\n".join(line.replace("− |", "- |") if line.startswith("| ---") else line for line in lines) + "\n"


def heads(what: str) -> str:
    """Heads of a figure by every method."""
    return " | ".join(f"{what}, {method}" for method in METHODS)


def main() -> None:
    """Follow, forecast, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--done", action="store_true", help="the page of what is there, nothing more followed")
    given = parser.parse_args()
    market = open_market(given.market)
    kind = STYLES.choose("barra_cne5")
    styles = dict(StyleSets(market).of(kind).exposures)
    began, taken = time.process_time(), given.out / "seconds.json"
    model = risk_model(market, kind, styles, RiskSettings())
    if not taken.is_file():
        write_json(taken, {"seconds": time.process_time() - began})
    places = {} if given.done else backtests(market, given.out, styles, model)
    there = {(index, name): given.out / index / name for index in INDICES for name in SETS}
    places |= {key: place for key, place in there.items() if (place / "summary.json").is_file()}
    estimated = Estimated(market.panel, market.universe, styles)
    rest = specific_returns(estimated, given.out / "specific.npy")
    other = follow(estimated, model, rest, week_ends(market))
    found = forecasts(market, (model, other), styles, places)
    seconds = json.loads(taken.read_text())["seconds"]
    told = PAGE.read_text(encoding="utf-8").partition(SAID)[2] if PAGE.is_file() else "\n"
    write_text(PAGE, page(market, found, places, seconds) + "\n" + SAID + told)
    print(PAGE)


if __name__ == "__main__":
    main()
