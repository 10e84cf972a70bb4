"""`enhance --what-if`: the same signal days under changed settings, side by side with the settings as they are.

Each scenario is solved twice: **on the same books**, each rebalance from the base's drifted weights, which shows what
the setting alone does; and in a backtest of its own, where its book goes its own way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from deepfactor.backtest.records import SummaryFile
from deepfactor.evaluation.definitions import Study
from deepfactor.evaluation.records import Number
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.problem import Rebalance, Target
from deepfactor.portfolio.what_if import Scenario


class BindingShare(TypedDict):
    """How often a constraint holds the solution back, and its mean shadow price then."""

    share_of_rebalances: float
    mean_shadow_price: float


class TargetMeans(TypedDict):
    """Means of targets: objective, active share (half the sum of |w − index|), two-sided turnover (None with the first
    rebalance alone), names; constraints that bind, and relaxed bounds by constraint."""

    objective: Number
    active_share: Number
    turnover: Number
    names: Number
    binding: dict[str, BindingShare]
    relaxed_bounds: dict[str, int]


class BacktestMeans(TargetMeans):
    """Of a backtest, whose `turnover` is what was traded; the targets' is `target_turnover`."""

    excess: Number
    tracking_error: Number
    information_ratio: Number
    cost: Number
    relaxed_rebalances: int
    target_turnover: Number


# A keyword stands among the keys.
ChangedSetting = TypedDict("ChangedSetting", {"from": object, "to": object})


class WhatIfEntry(TypedDict):
    """A scenario; `setting` "base" = the settings as they are."""

    setting: str
    changed: dict[str, ChangedSetting]
    same_books: TargetMeans
    backtest: BacktestMeans


class WhatIfFile(TypedDict):
    """``what_if.json``."""

    factor: str
    index: str
    constraints: str
    definition: Study
    scenarios: list[WhatIfEntry]


@dataclass
class Measured:
    """An enhancer whose targets are measured; the enhancers `beside` solve the same rebalances, for comparison."""

    enhancer: IndexEnhancer
    beside: Sequence[IndexEnhancer] = ()
    own: Tally = field(init=False)
    others: tuple[Tally, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.own, self.others = Tally(), tuple(Tally() for _ in self.beside)

    def solve(self, r: Rebalance) -> Target:
        """The enhancer's own target."""
        for enhancer, tally in zip(self.beside, self.others, strict=True):
            tally.add(r, enhancer.solve(r))
        target = self.enhancer.solve(r)
        self.own.add(r, target)
        return target


@dataclass
class Tally:
    """What targets come to, over all rebalances."""

    targets: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    prices: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    relaxed: Counter[str] = field(default_factory=Counter)

    def add(self, r: Rebalance, target: Target) -> None:
        """Count one target in; a constraint's price on a day is the sum of its rows' sizes."""
        self.targets["objective"].append(target.objective)
        self.targets["active_share"].append(0.5 * float(np.abs(target.weights - r.benchmark).sum()))
        self.targets["names"].append(float((target.weights > 0).sum()))
        if not r.first:
            self.targets["turnover"].append(float(np.abs(target.weights - r.previous).sum()))
        prices: defaultdict[str, float] = defaultdict(float)
        for row in target.binding:
            prices[row.constraint] += abs(row.shadow_price)
        for constraint, price in prices.items():
            self.prices[constraint].append(price)
        self.relaxed.update(x.constraint for x in target.relaxations)

    def means(self) -> TargetMeans:
        """Means of the rebalances."""
        days = len(self.targets["objective"])
        return {
            "objective": self._mean("objective"),
            "active_share": self._mean("active_share"),
            "turnover": self._mean("turnover"),
            "names": self._mean("names"),
            "binding": {
                name: {"share_of_rebalances": len(v) / days, "mean_shadow_price": float(np.mean(v))}
                for name, v in sorted(self.prices.items())
            },
            "relaxed_bounds": dict(sorted(self.relaxed.items())),
        }

    def _mean(self, name: str) -> Number:
        return float(np.mean(self.targets[name])) if self.targets[name] else None


def entry(scenario: Scenario | None, same_books: TargetMeans, own: TargetMeans, summary: SummaryFile) -> WhatIfEntry:
    """One scenario's entry of ``what_if.json`` (None = the settings as they are); `summary` is its backtest's."""
    whole = summary["all"]
    changed = {} if scenario is None else scenario.changed
    backtest: BacktestMeans = {
        **own,
        "excess": whole["excess"],
        "tracking_error": whole["tracking_error"],
        "information_ratio": whole["information_ratio"],
        "cost": whole["cost"],
        "relaxed_rebalances": whole["relaxed_rebalances"],
        "target_turnover": own["turnover"],
    }
    backtest["turnover"] = whole["turnover"]
    return {
        "setting": "base" if scenario is None else scenario.text,
        "changed": {name: {"from": before, "to": after} for name, (before, after) in changed.items()},
        "same_books": same_books,
        "backtest": backtest,
    }


def table(entries: Sequence[WhatIfEntry]) -> list[str]:
    """Lines of a table: a row a figure, a column a scenario."""
    if not entries:
        return []
    rows = [("", [one["setting"] for one in entries])]
    rows.append(("on the base's books", [""] * len(entries)))
    rows += _figures([one["same_books"] for one in entries], ("objective", "active_share", "turnover", "names"))
    rows += _constraints([one["same_books"] for one in entries])
    rows.append(("backtest of its own", [""] * len(entries)))
    figures = ("objective", "active_share", "turnover", "names", "excess", "tracking_error", "information_ratio")
    rows += _figures([one["backtest"] for one in entries], figures)
    rows += _constraints([one["backtest"] for one in entries])
    first = max(len(name) for name, _ in rows)
    widths = [max(len(cells[i]) for _, cells in rows) for i in range(len(entries))]
    return [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))]).rstrip()
        for name, cells in rows
    ]


_FORMS = {"objective": ".4f", "names": ".0f", "information_ratio": ".2f", "excess": "+.2%"}


def _figures(entries: Sequence[Mapping[str, object]], names: Sequence[str]) -> list[tuple[str, list[str]]]:
    return [
        (f"  {name.replace('_', ' ')}", [_text(one[name], _FORMS.get(name, ".2%")) for one in entries])
        for name in names
    ]


def _constraints(entries: Sequence[TargetMeans]) -> list[tuple[str, list[str]]]:
    """A row a constraint that binds (share of rebalances, mean price) or is relaxed (number of bounds) anywhere."""
    rows = []
    for name in sorted({name for one in entries for name in one["binding"]}):
        bindings = [one["binding"].get(name) for one in entries]
        cells = [f"{x['share_of_rebalances']:.0%} at {x['mean_shadow_price']:.2g}" if x else "–" for x in bindings]
        rows.append((f"  binds: {name}", cells))
    for name in sorted({name for one in entries for name in one["relaxed_bounds"]}):
        rows.append((f"  relaxed: {name}", [str(one["relaxed_bounds"].get(name, 0)) for one in entries]))
    return rows


def _text(value: object, form: str) -> str:
    return "–" if value is None else format(value, form)
