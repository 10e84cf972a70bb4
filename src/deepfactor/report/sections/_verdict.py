"""What the first screen says of each arm: how good, how much of it luck can do, and whether it beats the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping

from deepfactor.backtest.records import PairedPortfolio
from deepfactor.core.words import Text, listed
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.content.reading import HEADLINE_HORIZONS
from deepfactor.report.press.formats import MISSING, number
from deepfactor.report.press.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.press.words import words
from deepfactor.report.sections._cells import ic_cell, top_cell
from deepfactor.report.sections._paired import entries

#: |t| from which on a difference is hardly noise of the days at hand.
SURE = 2.0
#: Kinds of arms without a network.
_LEARNERS = ("ridge", "lightgbm", "xgboost")

ABOVE, WITHIN, BELOW = Text("above luck", "高于运气"), Text("within luck", "运气之内"), Text("below luck", "低于运气")
BETTER, WORSE = Text("{what} better", "{what}更好"), Text("{what} worse", "{what}更差")
NOISE = Text("{what} noise", "{what}属噪声")
RANK_IC, TOP, EXCESS = Text("RankIC", "秩相关IC"), Text("top group", "多头组"), Text("excess", "超额")
NOTE = Text(
    "RankIC at {h} trading days over {universe}; the top group before cost, over the benchmark below; excess over the "
    "index after cost. Luck is what random scores earn under the same constraints; a dash where none were followed.",
    "{universe}上{h}个交易日的秩相关IC；多头组未扣成本，基准见下表；指数增强超额为费后。运气区间为相同约束下随机得分的所得；"
    "未跟踪随机得分时为短横。",
)


def verdict(content: RunContent) -> Table | None:
    """A row an arm, or a row for each of its portfolios."""
    rows = []
    for arm in content.arms:
        own = [p for p in content.portfolios if p.arm == arm.name]
        for k, portfolio in enumerate(own or [None]):
            rows.append(_row(content, arm, portfolio, first=k == 0))
    columns = ("arm", "index", "verdict", "rank_ic_10", "top_excess", "excess", "placebo_band", "seed_excess_std",
               "deflated", "baseline", "less_rank_ic", "less_top", "less_excess")  # fmt: skip
    note = NOTE.filled(h=HEADLINE_HORIZONS[0], universe=words().universe(content.lead))
    return make("verdict", Text("Skill or luck", "能力还是运气"), columns, rows, note)


def _row(content: RunContent, arm: ArmContent, p: PortfolioContent | None, *, first: bool) -> tuple[Cell, ...]:
    group = arm.group(content.lead)
    top = top_cell(group, None if group is None else group["top"], "annual_excess_difference", "signed_percent", None)
    against = baseline(content, arm)
    rank_ic, best = _pair(content, "rank_ic", arm, against), _pair(content, "top_excess", arm, against)
    excess = None if p is None or against is None else _portfolio_pair(content, p, against.name)
    spread = _seed_spread(content, p, against)
    said = [luck(p), _noise(RANK_IC, rank_ic), _noise(TOP, best) if first else None, _noise(EXCESS, excess, spread)]
    return (
        *label_cells(arm.name, MISSING if p is None else words().universe(p.index)),
        *label_cells(listed(one for one in said if one is not None) or MISSING),
        ic_cell(arm.record(content.lead, HEADLINE_HORIZONS[0], content.main), "mean", "ic"),
        top,
        value_cell(None if p is None else p.whole, "excess", "signed_percent"),
        *label_cells(_band(p)),
        value_cell(None if p is None else p.seeds, "std", "percent"),
        Cell(_deflated(content, p), "share"),
        *label_cells(MISSING if against is None else against.name),
        *label_cells(_with_t(rank_ic, "signed_ic"), _with_t(best, "signed_percent"), _with_t(excess, "signed_percent")),
    )


def baseline(content: RunContent, arm: ArmContent) -> ArmContent | None:
    """The best arm without a network by RankIC, another than `arm`; where there is none the best other arm."""
    others = [one for one in content.arms if one.name != arm.name]
    plain = [one for one in others if one.model_card.get("kind") in _LEARNERS]
    return max(plain or others, key=lambda one: _mean(content, one), default=None)


def beside(content: RunContent, arm: ArmContent, other: ArmContent) -> list[Text]:
    """Whether `arm` ranks better than `other`, and whether its top group is better."""
    said = (_noise(what, _pair(content, key, arm, other)) for what, key in ((RANK_IC, "rank_ic"), (TOP, "top_excess")))
    return [one for one in said if one is not None]


def _mean(content: RunContent, arm: ArmContent) -> float:
    record = arm.record(content.lead, HEADLINE_HORIZONS[0], content.main)
    mean = None if record is None else record["rank_ic"]["mean"]
    return -math.inf if mean is None else mean


def _pair(
    content: RunContent, measure: str, arm: ArmContent, against: ArmContent | None
) -> Mapping[str, float | None] | None:
    """The entry of two arms, first less second turned so that `arm` is the first."""
    if against is None:
        return None
    wanted: dict[str, object] = {"universe": content.lead}
    wanted |= {"horizon": HEADLINE_HORIZONS[0]} if measure == "rank_ic" else {}
    for entry in entries(content, measure, **wanted):
        if {entry["first"], entry["second"]} == {arm.name, against.name}:
            stds = entry.get("seed_std_first"), entry.get("seed_std_second")
            return _turned(entry["difference"], entry["t_newey_west"], entry["first"] == arm.name) | _spread(*stds)
    return None


def _portfolio_pair(content: RunContent, p: PortfolioContent, against: str) -> Mapping[str, float | None] | None:
    same = (p.index, p.constraints)
    pairs: list[PairedPortfolio] = [
        one for one in content.paired_portfolios if (one["index"], one["constraints"]) == same
    ]
    for entry in pairs:
        if {entry["first"], entry["second"]} == {p.arm, against}:
            return _turned(entry["difference"], entry["t_newey_west"], entry["first"] == p.arm)
    return None


def _turned(difference: float | None, t: float | None, as_it_is: bool) -> dict[str, float | None]:
    sign = 1.0 if as_it_is else -1.0
    return {
        "difference": None if difference is None else sign * difference,
        "t": None if t is None else sign * t,
    }


def _spread(*stds: float | None) -> dict[str, float | None]:
    """The seeds' spread of a difference, of those arms that have one."""
    known = [one for one in stds if one is not None]
    return {"spread": math.hypot(*known) if known else None}


def _seed_spread(content: RunContent, p: PortfolioContent | None, against: ArmContent | None) -> float | None:
    if p is None or against is None:
        return None
    same = [q for q in content.portfolios if (q.index, q.constraints) == (p.index, p.constraints)]
    stds = [q.seeds["std"] for q in same if q.arm in (p.arm, against.name) and q.seeds is not None]
    return _spread(*stds)["spread"]


def _noise(what: Text, pair: Mapping[str, float | None] | None, spread: float | None = None) -> Text | None:
    if pair is None or (difference := pair["difference"]) is None or (t := pair["t"]) is None:
        return None
    by_seeds = pair.get("spread") if spread is None else spread
    sure = abs(t) >= SURE and (by_seeds is None or abs(difference) > by_seeds)
    return (NOISE if not sure else BETTER if difference > 0 else WORSE).filled(what=what)


def luck(p: PortfolioContent | None) -> Text | None:
    """Where a portfolio's excess lies against what random scores earn; None where none were followed."""
    if p is None or p.placebo is None:
        return None
    band = p.placebo["excess"]
    own, low, high = band["own"], band["low"], band["high"]
    if own is None or low is None or high is None:
        return None
    return ABOVE if own > high else BELOW if own < low else WITHIN


def _deflated(content: RunContent, p: PortfolioContent | None) -> float | None:
    """Of the portfolio among the market's trials when it was made."""
    if p is None:
        return None
    wanted = ("enhanced", p.arm, p.index, p.named)
    found = (one for one in content.trials if (one["kind"], one["factor"], one["place"], one["setting"]) == wanted)
    return next((one["deflated"] for one in found), None)


def _band(p: PortfolioContent | None) -> str:
    if p is None or p.placebo is None:
        return MISSING
    band = p.placebo["excess"]
    return f"{number(band['low'], 'signed_percent')} … {number(band['high'], 'signed_percent')}"


def _with_t(pair: Mapping[str, float | None] | None, style: str) -> str:
    return MISSING if pair is None else f"{number(pair['difference'], style)} ({number(pair['t'], 'signed')})"
