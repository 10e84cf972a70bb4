"""The two studies' printed numbers, looked up by an arm's `published` reference such as ``"study_b/decomp_gru_ic"``.

Never the same data as ours: another vendor's prices, another span, often another sampling. Beside ours for scale only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from deepfactor.core.errors import RecipeError

UNIVERSES = {
    "all": "csi_all",
    "000985.SH": "csi_all",
    "000300.SH": "csi300",
    "000905.SH": "csi500",
    "000852.SH": "csi1000",
}
_GROUPS = {"csi300": "csi300_5_groups", "csi500": "csi500_10_groups", "csi1000": "csi1000_10_groups"}
_STYLES = {"VALUE": "bp", "MOMENTUM": "momentum_1m"}
#: Study A's two variants of its portfolios, by our presets.
_VARIANTS = {"study_a": "80pct_constituents", "study_a_all_market": "all_market"}
#: Study B enhances the indices with this arm's scores, said twice in the study: its portfolio numbers are of it alone.
_ENHANCED_BY_B = "decomp_gru_mse"
#: Study A's interval and style tables have its BiAGRU under another name.
_OTHER_NAME = {"bi_agru": "price_volume"}
_IC = {"mean": "rank_ic", "icir": "rank_icir", "win_rate": "ic_win_rate"}


@dataclass(frozen=True)
class Reference:
    """One model of one study; every lookup gives a fraction or ratio, or None where the study prints none.

    `universe` and `index` are our names (``all``, ``000300.SH`` …), `horizon` and `every` trading days.
    """

    study: str
    model: str

    def rank_ic(self, metric: str, universe: str, horizon: int, convention: str) -> float | None:
        """RankIC's ``mean``, ``icir`` or ``win_rate`` under our convention's name."""
        if self.study == "study_b" and convention == "t1_close" and metric in _IC:
            return _at(studies(), self.study, f"ic_{horizon}d", UNIVERSES.get(universe), _IC[metric], self.model)
        if self.study == "study_a" and metric == "mean" and universe == "all":
            return _at(self._interval(horizon), f"rank_ic_{convention}")
        return None

    def top_group(self, metric: str, universe: str) -> float | None:
        """The best group over the whole span, by our keys: annual_return, sharpe and so on. Its excess over CSI All
        Share is a difference of annual returns, inside the indices an annualised ratio of NAVs: each under its own key
        (annual_excess_difference, annual_excess_nav_ratio) alone."""
        code = UNIVERSES.get(universe)
        if code == "csi_all":
            own = {"turnover_one_sided": "one_sided_turnover", "annual_excess_difference": "annual_excess"}
            name = own.get(metric, metric)
            known = name != metric or not metric.startswith("annual_excess")
            return _at(studies(), self.study, "top_group_csi_all_20_groups", self.model, name) if known else None
        name = {"annual_excess_nav_ratio": "excess"}.get(metric, metric)
        return self.top_group_year(name, universe, "all") if name.startswith("excess") else None

    def top_group_year(self, metric: str, universe: str, year: str) -> float | None:
        """The best group in a year: excess, excess_sharpe, excess_max_drawdown."""
        group = _GROUPS.get(UNIVERSES.get(universe, ""))
        return _at(studies(), self.study, "top_group_by_year", group, self.model, metric, year)

    def top_n(self, metric: str, name: str, every: int, convention: str) -> float | None:
        """``gross``, ``net`` (annual excess) or ``turnover_two_sided`` of ``top10pct`` or ``top100``; Study A trades
        at the next day's average price."""
        if convention != "t1_vwap":
            return None
        row = self._interval(every)
        if metric == "turnover_two_sided":
            return _at(row, f"{name}_two_sided_turnover_a_year")
        # Its interval table counts excess under this name, its weekly comparison under the short one.
        value = _at(row, f"{name}_excess_{metric}")
        return value if value is not None else _at(row, f"{name}_{metric}")

    def top_n_year(self, name: str, every: int, year: str) -> float | None:
        """Study A's weekly excess of a year."""
        return _at(studies(), self.study, "excess_by_year", name, self.model, year) if every == 5 else None

    def autocorrelation(self, every: int) -> float | None:
        """Of the score with itself, `every` days apart."""
        return _at(self._interval(every), "autocorrelation")

    def enhanced(self, metric: str, index: str, preset: str | None, year: str = "all") -> float | None:
        """The enhanced portfolio's excess, excess_sharpe, excess_max_drawdown, calmar, tracking_error,
        information_ratio or monthly_win_rate. Only under the study's own constraints: `preset` is the shipped set that
        the portfolio kept unchanged; years of Study A only where it holds names of the whole market."""
        code = UNIVERSES.get(index)
        if self.study == "study_a":
            variant = _VARIANTS.get(preset or "")
            if metric == "excess" and year == "all":
                return _at(studies(), "study_a", "enhanced_annual_excess", code, variant, self.model)
            table = f"enhanced_by_year_{variant}"
            return _at(studies(), "study_a", table, code, year, self.model, metric)
        if preset != self.study or self.model != _ENHANCED_BY_B:
            return None
        if metric == "turnover":
            return _at(studies(), "study_b", "enhanced_two_sided_turnover_a_week", code) if year == "all" else None
        if metric == "tracking_error":
            return _at(studies(), "study_b", "enhanced_tracking_error", code) if year == "all" else None
        return _at(studies(), "study_b", "enhanced", code, metric, year)

    def style_correlation(self, style: str) -> float | None:
        """Mean cross-sectional correlation with a style factor."""
        model = _OTHER_NAME.get(self.model, self.model)
        return _at(studies(), self.study, "style_correlation", _STYLES.get(style, style.lower()), model)

    def style_correlation_last(self, style: str) -> float | None:
        """The same on Study A's one date, the end of 2023; only size is printed."""
        return _at(studies(), self.study, "size_correlation_2023_12_29", self.model) if style == "SIZE" else None

    def model_correlation(self, other: str) -> float | None:
        """Mean rank correlation with another model of the study."""
        return _at(studies(), self.study, "model_rank_correlation", self.model, other)

    def _interval(self, every: int) -> Mapping[str, object]:
        """Study A's row for a rebalance interval: the weekly comparison knows other models than the interval table."""
        study = studies()[self.study]
        for row in study.get("factor_test_by_interval", ()):
            if row["factor"] == self.model and row["rebalance_days"] == every:
                return dict(row)
        for row in study.get("weekly_comparison", ()) if every == 5 else ():
            if row["model"] == self.model:
                return dict(row)
        return Reference(self.study, _OTHER_NAME[self.model])._interval(every) if self.model in _OTHER_NAME else {}


@cache
def studies() -> dict[str, Any]:
    """The package's ``published.json``."""
    content: dict[str, Any] = json.loads((files("deepfactor") / "published.json").read_text(encoding="utf-8"))
    return content


def references() -> list[str]:
    """Every reference that `reference` takes, sorted."""
    a, b = studies()["study_a"], studies()["study_b"]
    of_a = {r["factor"] for r in a["factor_test_by_interval"]} | {r["model"] for r in a["weekly_comparison"]}
    return sorted([f"study_a/{m}" for m in of_a] + [f"study_b/{m}" for m in b["model_rank_correlation"]])


def reference(name: str | None) -> Reference | None:
    """The study's model behind an arm's `published`; None for None.

    Raises
    ------
    RecipeError
        there is no such study or model; the message lists what there is.
    """
    if name is None:
        return None
    if name not in references():
        raise RecipeError(f"no published numbers under {name!r}: there are {', '.join(references())}", key="published")
    study, model = name.split("/")
    return Reference(study, model)


def _at(content: Any, *path: str | None) -> float | None:
    """The number at `path`, None where a step or the number is missing."""
    for step in path:
        if step is None or not isinstance(content, Mapping) or step not in content:
            return None
        content = content[step]
    return content if isinstance(content, int | float) else None
