"""The verb `reconcile-market`: two markets compared, for the terminal, as JSON and as a page."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepfactor.core.errors import DataError
from deepfactor.core.files import write_text
from deepfactor.panel.market_pair import Coverage, compare_markets
from deepfactor.panel.pair_tally import Case, Difference
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.markets import Market, open_market
from deepfactor.report.market_pair_page import (
    CaseRecord,
    CoverageRecord,
    DifferenceRecord,
    MarketPairRecord,
    SideRecord,
    quantity,
    render_market_pair,
    value,
)


def reconcile_market(
    a: Path,
    b: Path,
    html: Path | None = None,
    console: Console | None = None,
    language: str = "en",
    worst: int = 10,
) -> MarketPairRecord:
    """Compare the markets `a` and `b`; with `html`, write a page of it there, `language` (``en``, ``zh``) shown first.

    Parameters
    ----------
    worst : stocks that are named of each quantity

    Returns
    -------
    mapping, fit for JSON (missing = None): a, b (the markets), coverage, differences

    Raises
    ------
    DataError
        no market there, one and the same twice, or markets without a day or stock in common.
    """
    console = console or Silent()
    if a.resolve() == b.resolve():
        raise DataError(f"{a} and {b} are one market: name two")
    one, two = open_market(a, console), open_market(b, console)
    with step(console, "compared the markets"):
        pair = compare_markets((one.panel, one.universe), (two.panel, two.universe), worst)
    record: MarketPairRecord = {
        "a": _side(a, one),
        "b": _side(b, two),
        "coverage": _coverage(pair.coverage),
        "differences": [_difference(difference) for difference in pair.differences],
    }
    if html is not None:
        write_text(html, render_market_pair(record, language))
    return record


def lines(record: MarketPairRecord) -> list[str]:
    """For a terminal: what both have, and a line a quantity."""
    sides = {"A": record["a"], "B": record["b"]}
    shown = [f"{name}: {one['market']}, {one['source']}, {' to '.join(one['span'])}" for name, one in sides.items()]
    coverage = record["coverage"]
    for what, counts in (("days", coverage["days"]), ("stocks", coverage["stocks"]), ("indices", coverage["indices"])):
        shown.append(
            f"{what}: {counts['both']:,} in both" + "".join(_alone(coverage, what, side) for side in ("a", "b"))
        )
    shown.append(f"{'':<30}{'compared':>12}{'differ':>12}{'share':>10}{'only A':>11}{'only B':>11}{'stocks':>8}  worst")
    for one in record["differences"]:
        share = f"{one['differ'] / one['compared']:.4%}" if one["compared"] else "–"
        numbers = f"{one['compared']:>12,}{one['differ']:>12,}{share:>10}{one['only_a']:>11,}{one['only_b']:>11,}"
        case = f"  {_case(one['worst'][0])}" if one["worst"] else ""
        shown.append(f"{quantity(one['quantity']):<30}{numbers}{one['stocks']:>8,}{case}")
    return shown


def _alone(coverage: CoverageRecord, what: str, side: str) -> str:
    count = {"days": coverage["days"], "stocks": coverage["stocks"], "indices": coverage["indices"]}[what][
        f"only_{side}"
    ]
    if not count:
        return ""
    return f", {count:,} only in {side.upper()} (as {coverage['examples'][f'{what}.only_{side}'][0]})"


def _case(case: CaseRecord) -> str:
    return f"{case['symbol']} {case['date']}: {value(case['a'])} | {value(case['b'])}"


def _side(path: Path, market: Market) -> SideRecord:
    account = market.account()
    return {
        "market": str(path),
        "source": account["source"],
        "fingerprint": market.fingerprint,
        "span": account["span"],
        "stocks": account["stocks"],
        "days": account["days"],
    }


def _coverage(coverage: Coverage) -> CoverageRecord:
    made: Any = asdict(coverage)
    made["traded"] = {str(year): asdict(counts) for year, counts in coverage.traded.items()}
    record: CoverageRecord = made
    return record


def _difference(one: Difference) -> DifferenceRecord:
    total = one.total()
    return {
        "quantity": one.quantity,
        "group": one.group,
        "tolerance": one.tolerance,
        "relative": one.relative,
        "compared": total.compared,
        "differ": total.differ,
        "only_a": total.only_a,
        "only_b": total.only_b,
        "stocks": one.stocks,
        "by_year": {
            str(year): {"compared": c.compared, "differ": c.differ, "only_a": c.only_a, "only_b": c.only_b}
            for year, c in one.by_year.items()
        },
        "worst": [_record(case) for case in one.worst],
    }


def _record(case: Case) -> CaseRecord:
    a, b = (None if isinstance(one, float) and not math.isfinite(one) else one for one in (case.a, case.b))
    return {"symbol": case.symbol, "date": case.date, "a": a, "b": b, "size": case.size, "days": case.days}
