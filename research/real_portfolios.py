"""Portfolios of minus the 20-day return and of random factors on the real market, recomputed from its tables.

``python -m research.real_portfolios MARKET FOLDER`` follows each factor on CSI 300, 500 and 1000 under both studies'
constraints and style sets, 2015–2022; what is done is not done again. Then `tests.oracles.recompute`, which shares no
code with the product, checks every target's constraints, and the figures are written to ``docs/results/portfolios.md``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepfactor.core.arrays import Floats
from deepfactor.core.files import write_json, write_text
from deepfactor.panel.panel import rows_between
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.console import Silent
from deepfactor.pipeline.enhancing import backtest_to
from deepfactor.pipeline.markets import Market, StyleSets, open_market
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.environment import machine
from deepfactor.styles.base import ROOM as STYLES
from tests.oracles import recompute

SEEDS = 5
#: Styles are recomputed for one rebalance in so many: they take most of the time.
STYLES_EVERY = 10
RANDOM = "random_"
FACTORS = ("reversal_20", *(f"{RANDOM}{seed}" for seed in range(SEEDS)))
INDICES = {"000300.SH": "CSI 300", "000905.SH": "CSI 500", "000852.SH": "CSI 1000"}
STUDIES = ("study_a", "study_b")
START, END = "2015-01-01", "2022-12-30"
DAYS = 252
#: What stands under this heading is written by hand and kept.
SAID = "## What it says"
PAGE = Path(__file__).parents[1] / "docs" / "results" / "portfolios.md"


def factor(name: str, market: Market, index: str, start: str, end: str) -> Scores:
    """A factor on the days of the span on which the index has members; no score elsewhere."""
    panel = market.panel
    if name.startswith(RANDOM):
        values = np.random.default_rng(int(name.removeprefix(RANDOM))).standard_normal(panel.shape)
    else:
        values = -trailing_return(panel, 20)
    inside = np.zeros(len(panel.dates), dtype=bool)
    inside[rows_between(panel.dates, start, end)] = True
    inside &= market.universe.member_mask(index).any(axis=1)
    return Scores(name, panel.dates, panel.symbols, np.where(inside[:, None], values, np.nan))


def _places(out: Path) -> list[Path]:
    return [out / "portfolio" / name / index / study for name in FACTORS for index in INDICES for study in STUDIES]


def backtests(market: Market, out: Path, start: str = START, end: str = END) -> list[Path]:
    """Folders of all backtests, followed where they are not there yet."""
    places = _places(out)
    missing = [place for place in places if not (place / "summary.json").is_file()]
    if not missing:
        return places
    sets = StyleSets(market)
    eligible = market.universe.eligible(UniverseRule())
    for place in missing:
        name, index, study = place.parts[-3:]
        scores = factor(name, market, index, start, end)
        portfolio = Portfolio(index=index, constraints=study)
        styles = sets.of(load_constraints(portfolio).styles or STYLES.choose("basic")).exposures
        backtest_to(place, market, scores, styles, portfolio, eligible, Silent())
        print(f"followed {place}", file=sys.stderr, flush=True)
    return places


@dataclass(frozen=True)
class Row:
    """One backtest's figures, a year as fractions; excess is in logs against the replica, so that parts add."""

    factor: str
    index: str
    study: str
    gross: float
    t: float
    net: float
    cost: float
    parts: dict[str, float]
    turnover: float
    relaxed: int
    rebalances: int
    checked: int
    recorded: int
    violations: int
    worst: float


def figures(place: Path, check: dict[str, Any]) -> Row:
    """Read a backtest's files."""
    summary = json.loads((place / "summary.json").read_text())
    nav = pl.read_parquet(place / "nav.parquet")
    curves = {name: np.diff(np.log(nav[name].to_numpy())) for name in ("nav", "gross_nav", "replica_nav")}
    gross, net = (curves[name] - curves["replica_nav"] for name in ("gross_nav", "nav"))
    account = summary["attribution"]["all"]
    years = len(gross) / DAYS
    parts = {
        "styles": sum(account["styles"].values()),
        "industries": sum(account["industries"].values()),
        **{name: account[name] for name in ("selection", "cost", "cash_and_rounding")},
    }
    t = float(gross.mean() / gross.std(ddof=1) * math.sqrt(len(gross)))
    cost = nav["cost"].to_numpy()[1:] / (summary["capital"] * nav["nav"].to_numpy()[:-1])
    study = str(place.name)
    whole = summary["all"]
    return Row(
        place.parts[-3], place.parts[-2], study, gross.sum() / years, t, net.sum() / years, cost.sum() / years,
        {name: x / years for name, x in parts.items()}, whole["turnover"], whole["relaxed_rebalances"],
        whole["rebalances"], check["checked"], check["recorded"], check["violations"], check["worst"],
    )  # fmt: skip


@dataclass(frozen=True)
class Pooled:
    """The random factor's draws on one index under one study's constraints.

    `gross` is the mean of the draws, logs a year against the replica, `spread` their standard deviation. `parts` are
    (mean a year, t): each day's mean over the draws is one series, and t is that series' own, so that noise of the
    draws averages out and what they share, from whatever cause, is left.
    """

    index: str
    study: str
    draws: int
    gross: float
    spread: float
    parts: dict[str, tuple[float, float]]


def pooled(places: list[Path]) -> list[Pooled]:
    """Draws put together by index and constraints."""
    groups: dict[tuple[str, str], list[dict[str, Floats]]] = {}
    for place in places:
        if place.parts[-3].startswith(RANDOM):
            groups.setdefault((place.parts[-2], place.name), []).append(_daily(place))
    found = []
    for (index, study), draws in groups.items():
        gross = [float(one["gross"].mean()) * DAYS for one in draws]
        parts = {name: _mean_and_t(np.mean([one[name] for one in draws], axis=0)) for name in draws[0]}
        spread = float(np.std(gross, ddof=1)) if len(draws) > 1 else math.nan
        found.append(Pooled(index, study, len(draws), float(np.mean(gross)), spread, parts))
    return found


def _daily(place: Path) -> dict[str, Floats]:
    """(D,) daily log gross excess against the replica, and its parts by styles and industries, and by selection."""
    nav = pl.read_parquet(place / "nav.parquet")
    gross, replica = (np.diff(np.log(nav[name].to_numpy())) for name in ("gross_nav", "replica_nav"))
    table = pl.read_parquet(place / "attribution.parquet")
    out = {"gross": gross - replica}
    for name, own in (("styles and industries", ["style", "industry"]), ("selection", ["selection"])):
        sums = table.filter(pl.col("part").is_in(own)).group_by("date").agg(pl.col("log_contribution").sum())
        days = nav.select("date").join(sums, on="date", how="left", maintain_order="left")
        out[name] = days["log_contribution"].fill_null(0.0).to_numpy()[1:]
    return out


def _mean_and_t(x: Floats) -> tuple[float, float]:
    return float(x.mean()) * DAYS, float(x.mean() / x.std(ddof=1) * math.sqrt(len(x)))


def _of_draws(found: list[Pooled]) -> list[str]:
    """The table of random draws."""
    if not found:
        return []
    names = list(found[0].parts)
    lines = [
        "",
        "## The random factor, draws pooled",
        "",
        "Every draw is a factor of its own seed. *t*: each day's mean over the draws is one series, against 0, so",
        "that the draws' own noise averages out; the draws are not counted as independent years.",
        "",
        f"| index | constraints | draws | deviation between draws | {' | '.join(f'{name} | t' for name in names)} |",
        f"| --- | --- | ---: | ---: | {' | '.join('---: | ---:' for _ in names)} |",
    ]
    for one in found:
        cells = " | ".join(f"{_percent(mean)} | {t:.2f}" for mean, t in one.parts.values())
        spread = _percent(one.spread).lstrip("+") if math.isfinite(one.spread) else "–"
        lines.append(f"| {INDICES[one.index]} | {one.study} | {one.draws} | {spread} | {cells} |")
    return lines


def page(rows: list[Row], draws: list[Pooled], market: Market, command: str) -> str:
    """``docs/results/portfolios.md``."""
    account = market.account()
    lines = [
        "# Portfolios of two plain factors on real data",
        "",
        "Made by",
        "",
        "```",
        command,
        "```",
        "",
        f"Market: source `{account['source']}`, {' to '.join(account['span'])}, {account['stocks']} stocks, "
        f"fingerprint {str(account['fingerprint'])[:12]}. Machine: {machine()['processor']}.",
        "Styles: each preset's own set, all that the market gives: `study_a` whole; `barra_cne5` without LEVERAGE.",
        "Company reports end on 2022-04-13: company styles are missing after that, and a missing exposure counts as",
        "the median's.",
        f"Signals from {START} (CSI 1000: from its first members of 2015-06-30) to {END}. 100 million CNY.",
        "",
        "* **random_k**: independent normal numbers, anew each day, seed k. **reversal_20**: minus the 20-day return.",
        "* All are logs a year against the replica (with dividends), so that gross − cost = net, and the parts of the",
        "  attribution add to net. *t* is that of the mean daily gross excess.",
        "* The replica's weights, the publisher's not being in the market: members by float value, with inclusion",
        "  factors of the largest where these, estimated, follow the index better (docs/results/data.md, Replicas).",
        "* *cost* is the sum of each day's cost over the net asset value of the day before.",
        "",
        "## Excess",
        "",
        "| factor | index | constraints | gross | t | net | gross − net | cost | turnover a week, two-sided |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in rows:
        lines.append(
            f"| {_what(r)} | {_percent(r.gross)} | {r.t:.2f} | {_percent(r.net)} | {_percent(r.gross - r.net)} | "
            f"{_percent(r.cost)} | {r.turnover:.3f} |"
        )
    lines += _of_draws(draws)
    names = list(rows[0].parts)
    lines += [
        "",
        "## Attribution of the net excess",
        "",
        f"| factor | index | constraints | {' | '.join(name.replace('_', ' ') for name in names)} |",
        f"| --- | --- | --- | {' | '.join('---:' for _ in names)} |",
    ]
    lines += [f"| {_what(r)} | {' | '.join(_percent(r.parts[name]) for name in names)} |" for r in rows]
    lines += [
        "",
        "## Constraints, recomputed from the market's tables",
        "",
        "By `tests/oracles/recompute.py`, which uses polars and numpy alone and no code of deepfactor: index weights",
        "from members and float value (of estimated inclusion factors only that each lies within 0 and 1 and the",
        "weights fit them), industries, styles from prices and reports, then every limit of every target (of styles:",
        f"of one target in {STYLES_EVERY}). A limit *holds* if it is kept to {recompute.TOLERANCE:.0e}; else it must",
        "stand in `relaxations.parquet` with its value.",
        "*Worst* is the largest excess over a limit that stands.",
        "",
        "| factor | index | constraints | rebalances | with relaxations | limits checked | recorded as relaxed |"
        " violations | worst |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in rows:
        lines.append(
            f"| {_what(r)} | {r.rebalances} | {r.relaxed} | {r.checked:,} | {r.recorded:,} | {r.violations} | "
            f"{r.worst:.1e} |"
        )
    return "\n".join(lines) + "\n"


def _what(r: Row) -> str:
    return f"{r.factor} | {INDICES[r.index]} | {r.study}"


def _percent(x: float) -> str:
    return f"{x:+.2%}".replace("%", " %").replace("-", "−")


def main() -> None:
    """Follow, recompute, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--done", action="store_true", help="the page of what is there, nothing more followed")
    given = parser.parse_args()
    market = open_market(given.market)
    places = _places(given.out) if given.done else backtests(market, given.out)
    places = [place for place in places if (place / "summary.json").is_file()]
    tables, rows = None, []
    for place in places:
        if not (place / "recomputed.json").is_file():
            tables = tables or recompute.Tables(given.market)
            write_json(place / "recomputed.json", recompute.check(tables, place, STYLES_EVERY))
        check = json.loads((place / "recomputed.json").read_text())
        rows.append(figures(place, check))
        print(f"recomputed {place}: {check['violations']} violations", file=sys.stderr, flush=True)
    told = PAGE.read_text(encoding="utf-8").partition(SAID)[2] if PAGE.is_file() else "\n"
    command = f"python -m research.real_portfolios {'--done ' if given.done else ''}MARKET FOLDER"
    write_text(PAGE, page(rows, pooled(places), market, command) + "\n" + SAID + told)
    print(PAGE)


if __name__ == "__main__":
    main()
