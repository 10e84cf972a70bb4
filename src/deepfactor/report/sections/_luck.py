"""What luck may have done to a portfolio: random scores and single seeds under the same constraints; pairs of them."""

from __future__ import annotations

from deepfactor.core.words import Text
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.press.words import words

_NUMBERS = (
    ("excess", "signed_percent", Text("Net excess", "费后超额")),
    ("excess_gross", "signed_percent", Text("Gross excess", "费前超额")),
    ("information_ratio", "ratio", Text("IR", "信息比率")),
)
PLACEBO_NOTE = Text(
    "{n} random scores under the same constraints, over the same names and days, as persistent as the factor "
    "({persistence} from one signal day to the next). 95 of 100 further ones lie between low and high.",
    "在相同约束、相同股票与日期下跟踪{n}个随机得分，其持续性与因子相同（相邻信号日相关系数{persistence}）。"
    "再取100个随机得分，有95个落在上下限之间。",
)
SEEDS_NOTE = Text(
    "Each seed's own scores in a portfolio of its own, beside the ensemble's.",
    "各随机种子的得分各自构成组合，与集成对照。",
)
PAIRS_NOTE = Text(
    "Daily log returns after cost, a year, on common days; Newey-West with five lags. Only portfolios on one index "
    "under one constraint set are compared.",
    "共同日期上费后日对数收益之差，按年计；Newey-West滞后五期。仅比较同一指数、同一约束集的组合。",
)


def placebo(p: PortfolioContent, name: str) -> Table | None:
    """The band of random scores: excess after and before cost, information ratio."""
    made = p.placebo
    if made is None:
        return None
    bands = {"excess": made["excess"], "excess_gross": made["excess_gross"]}
    bands |= {"information_ratio": made["information_ratio"]}
    rows = [
        (
            *label_cells(label),
            *(value_cell(bands[key], one, style) for one in ("own", "mean", "std", "low", "high")),
            value_cell(bands[key], "distance", "signed"),
        )
        for key, style, label in _NUMBERS
    ]
    columns = ("luck_measure", "luck_own", "luck_mean", "luck_std", "placebo_low", "placebo_high", "luck_distance")
    note = PLACEBO_NOTE.filled(n=made["draws"], persistence=number(made["persistence"], "plain"))
    return make(f"{name}_placebo", Text("Beside random scores", "与随机得分对照"), columns, rows, note)


def seeds(p: PortfolioContent, name: str) -> Table | None:
    """Each seed's portfolio."""
    made = p.seeds
    if made is None:
        return None
    rows = [
        (Cell(one["seed"], "count"), *(value_cell(one, key, style) for key, style, _ in _NUMBERS))
        for one in made["seeds"]
    ]
    title = Text("Portfolios by seed", "各种子的组合")
    return make(f"{name}_seeds", title, ("seed", "excess", "excess_gross", "information_ratio"), rows, SEEDS_NOTE)


def pairs(content: RunContent) -> Table | None:
    """Every pair of portfolios on one index under one constraint set."""
    rows = [
        (
            *label_cells(f"{one['first']} − {one['second']}", words().universe(one["index"]), one["constraints"]),
            value_cell(one, "difference", "signed_percent"),
            value_cell(one, "standard_error", "percent"),
            value_cell(one, "t_newey_west", "ratio"),
            value_cell(one, "win_rate", "share"),
            value_cell(one, "n", "count"),
        )
        for one in content.paired_portfolios
    ]
    columns = ("pair", "index", "constraints", "portfolio_difference", "standard_error", "paired_t", "ahead", "n")
    return make("portfolio_pairs", Text("Portfolios side by side", "组合两两比较"), columns, rows, PAIRS_NOTE)
