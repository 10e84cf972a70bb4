"""Active risk of portfolios with a risk model: what was forecast, what it became, what it is made of."""

from __future__ import annotations

from deepfactor.backtest.active_risk import ActiveRiskFile, RiskSpan
from deepfactor.core.words import Text, joined
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Framed, Heading, Said, Section, Tables
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections._cells import ALL_YEARS

ORDER = 105

INTRO = Text(
    "Forecasts of the risk model at each rebalance's close, from returns up to then, of the target that was aimed at. "
    "Right forecasts have a bias of 1.",
    "风险模型于每次调仓日收盘、仅用当时及之前的收益，对目标持仓作出的预测。预测准确时偏差统计量为1。",
)
FORECAST = Metric(
    "ex_ante_tracking_error",
    Text("Forecast TE", "预测跟踪误差"),
    Text("% a year", "年化%"),
    Text(
        "Mean over rebalances of the target's tracking error as the risk model forecasts it.",
        "各次调仓目标持仓的风险模型预测跟踪误差的均值。",
    ),
)
REALISED = Metric(
    "realised_tracking_error",
    Text("Realised TE", "实现跟踪误差"),
    Text("% a year", "年化%"),
    Text(
        "Standard deviation of daily returns over the replica's, × √252.",
        "相对复制指数的日超额收益标准差×√252。",
    ),
)
BIAS = Metric(
    "bias",
    Text("Bias", "偏差统计量"),
    Text("ratio", "比率"),
    Text(
        "Standard deviation of active returns between rebalances over their forecasts: below 1 they were too high.",
        "调仓期间主动收益除以其预测值的标准差：小于1表示预测偏高。",
    ),
)
SPECIFIC = Metric(
    "specific_share",
    Text("Specific share", "特质占比"),
    Text("% of variance", "占方差%"),
    Text("Share of the forecast active variance that no factor explains.", "预测主动方差中因子未解释的部分。"),
)
TRANSFER = Metric(
    "transfer_coefficient",
    Text("Transfer coefficient", "传导系数"),
    Text("correlation", "相关系数"),
    Text(
        "Score × active weight over what a portfolio of the same risk without any constraint would have: at most 1.",
        "得分与主动权重之积，除以同等风险且无任何约束的组合所能达到的值：至多为1。",
    ),
)
EX_ANTE = Metric(
    "ex_ante_ir",
    Text("Ex-ante IR", "事前信息比率"),
    Text("ratio", "比率"),
    Text(
        "Expected active return over forecast tracking error, a year: IC of the rebalances before × specific risk × "
        "score.",
        "预期主动收益除以预测跟踪误差（年化）：此前各次调仓的IC×特质风险×得分。",
    ),
)
BREADTH = Metric(
    "breadth",
    Text("Breadth", "宽度"),
    Text("names", "只"),
    Text(
        "Names with equal bets that would be as spread: (Σv)² / Σv², v = specific active variances.",
        "等效的独立押注数：(Σv)²/Σv²，v为各股特质主动方差。",
    ),
)
SPAN = (
    (FORECAST, "tracking_error", "percent"),
    (REALISED, "realised", "percent"),
    (BIAS, "bias", "ratio"),
    (SPECIFIC, "specific_share", "share"),
    (TRANSFER, "transfer_coefficient", "ratio"),
    (EX_ANTE, "ex_ante_ir", "ratio"),
    (BREADTH, "breadth", "count"),
)
STYLES_NOTE = Text(
    "Means over the rebalances. Alone: |exposure| × volatility of the style. Adds: its part of the forecast tracking "
    "error, below 0 where it offsets others. Marginal: by how much that rises a unit of exposure.",
    "各次调仓的均值。单独：|暴露|×风格波动率。贡献：其在预测跟踪误差中的部分，为负表示抵消其他风险。"
    "边际：每增加一单位暴露的增量。",
)
ERRORS_NOTE = Text(
    "Log returns a year against the replica; standard errors of the mean of days, as if these were independent.",
    "相对复制指数的年化对数收益；标准误按各日独立计算。",
)


def section(content: RunContent, make: Maker) -> Section | None:
    """A part for each portfolio that has a risk model."""
    title = Text("Active risk", "主动风险")
    parts = [
        Framed(
            "portfolio",
            (
                Heading(joined(" · ", [p.arm, words().universe(p.index), p.named])),
                Tables(make.all(*((one, p, p.risk, k) for one in TABLES)), 4),
            ),
            "article",
            f"risk_{k + 1}",
        )
        for k, p in enumerate(content.portfolios)
        if p.risk is not None
    ]
    return Section(title, (Said(INTRO), *parts), link=title) if parts else None


def by_year(p: PortfolioContent, risk: ActiveRiskFile, k: int) -> Table | None:
    """Forecast beside realised, by year and over all."""
    rows = [(*label_cells(year), *_cells(span)) for year, span in risk["by_year"].items()]
    rows.append((*label_cells(ALL_YEARS), *_cells(risk["all"])))
    title = Text("Forecast and realised", "预测与实现")
    return make(f"risk_by_year_{k + 1}", title, (head("year", Text("Year", "年份")), *(m for m, *_ in SPAN)), rows)


def _cells(span: RiskSpan) -> tuple[Cell, ...]:
    return tuple(value_cell(span, key, style) for _, key, style in SPAN)


def styles(p: PortfolioContent, risk: ActiveRiskFile, k: int) -> Table | None:
    """What each style adds, and what more of it would."""
    rows = [
        (
            *label_cells(words().style(one["name"], risk["model"])),
            value_cell(one, "exposure", "signed"),
            value_cell(one, "alone", "percent"),
            value_cell(one, "contribution", "signed_percent"),
            value_cell(one, "marginal", "signed_percent"),
        )
        for one in risk["styles"]
    ]
    dash = Cell(None, "percent")
    industries = Cell(risk["industries"], "signed_percent")
    rows.append((*label_cells(Text("Industries", "行业")), dash, dash, industries, dash))
    columns = (
        head("style", Text("Style", "风格")),
        head("exposure", Text("Exposure", "暴露")),
        head("alone", Text("Alone", "单独")),
        head("adds", Text("Adds", "贡献")),
        head("marginal", Text("Marginal", "边际")),
    )
    return make(f"risk_styles_{k + 1}", Text("Risk by style", "风格风险"), columns, rows, STYLES_NOTE)


def contributors(p: PortfolioContent, risk: ActiveRiskFile, k: int) -> Table | None:
    """The ten names of the last target that add most."""
    rows = [
        (
            *label_cells(one["symbol"]),
            value_cell(one, "active", "signed_percent"),
            value_cell(one, "contribution", "percent"),
        )
        for one in risk["contributors"]
    ]
    columns = (
        head("symbol", Text("Stock", "股票")),
        head("active", Text("Active weight", "主动权重")),
        head("adds", Text("Adds", "贡献")),
    )
    title = Text("Largest contributors on {day}", "{day}贡献最大的个股").filled(day=risk["last"])
    return make(f"risk_contributors_{k + 1}", title, columns, rows)


def errors(p: PortfolioContent, risk: ActiveRiskFile, k: int) -> Table | None:
    """Where the active return came from, with standard errors."""
    rows = []
    for one in risk["attribution"]:
        of = words().style(one["name"], risk["model"]) if one["part"] == "style" else Text("all", "合计")
        numbers = (value_cell(one, "a_year", "signed_percent"), value_cell(one, "standard_error", "percent"))
        rows.append((*label_cells(PARTS[one["part"]], of), *numbers, value_cell(one, "t", "signed")))
    columns = (
        head("part", Text("Part", "部分")),
        head("of", Text("Of", "对象")),
        head("a_year", Text("A year", "年化")),
        head("standard_error", Text("Standard error", "标准误")),
        head("t", Text("t", "t值")),
    )
    title = Text("Where the active return came from", "主动收益来源")
    return make(f"risk_attribution_{k + 1}", title, columns, rows, ERRORS_NOTE)


PARTS = {
    "style": Text("Style", "风格"),
    "industry": Text("Industries", "行业"),
    "selection": Text("Selection", "选股"),
    "cost": Text("Cost", "成本"),
    "cash_and_rounding": Text("Cash and lots", "现金与整手"),
    "active": Text("Active return", "主动收益"),
}
TABLES = (by_year, styles, contributors, errors)
