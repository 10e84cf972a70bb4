"""The page of two markets beside each other. Computes nothing: it sets out what `deepfactor reconcile-market` found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from deepfactor.core.words import Text
from deepfactor.report.press.blocks import Fact
from deepfactor.report.press.facts import span
from deepfactor.report.press.formats import MISSING, number
from deepfactor.report.press.html import document
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make
from deepfactor.report.press.words import Metric, words

GROUPS = {
    "prices": Text("Prices", "价格"),
    "trading": Text("Trading", "成交"),
    "value": Text("Market values", "市值"),
    "adjustment": Text("Adjustment factors and returns", "复权因子与收益"),
    "limits": Text("Price limits", "涨跌停价"),
    "status": Text("Listing, suspension, ST", "上市、停牌、ST"),
    "indices": Text("Indices", "指数"),
    "industry": Text("Industry", "行业"),
}
QUANTITIES = {
    "open": Text("open", "开盘价"),
    "high": Text("high", "最高价"),
    "low": Text("low", "最低价"),
    "close": Text("close", "收盘价"),
    "vwap": Text("vwap", "成交均价"),
    "volume": Text("volume", "成交量"),
    "turnover": Text("turnover", "换手率"),
    "float_mv": Text("float market value", "流通市值"),
    "total_mv": Text("total market value", "总市值"),
    "free_float_mv": Text("free-float market value", "自由流通市值"),
    "adj_factor": Text("step of the adjustment factor", "复权因子的变动"),
    "return": Text("adjusted return", "复权收益"),
    "limit_up": Text("limit up", "涨停价"),
    "limit_down": Text("limit down", "跌停价"),
    "listed": Text("listed", "上市"),
    "suspended": Text("suspended", "停牌"),
    "is_st": Text("ST mark", "ST标记"),
    "industry": Text("industry", "行业"),
    "level": Text("index level", "指数点位"),
    "total_return": Text("total-return level", "全收益指数点位"),
}
_OF_INDEX = {"members": Text("members of {index}", "{index}成分"), "weight": Text("weights of {index}", "{index}权重")}
_COVERED = {
    "days": Text("trading days", "交易日"),
    "stocks": Text("stocks", "股票"),
    "indices": Text("indices", "指数"),
}
_SIDES = (("both", Text("In both", "两者都有")), ("only_a", Text("Only A", "仅A")), ("only_b", Text("Only B", "仅B")))
_SAME = Text(
    "Stock-days of both markets. A and B differ where they are farther apart than the tolerance: as it stands, or as a "
    "share of the larger one (%). Industries are compared by name where half of the names are shared, else each of A's "
    "stands for the one of B's that most of its stock-days have.",
    "两市场共有的股票日。差异超过容差即为不同：容差为绝对数，或占较大者的比例（%）。行业名称有半数相同时按名称比较，否则A的每个行业对应其股票日在B中最多的行业。",
)
_WORST = Text(
    "A stock's worst day, and on how many days it differs. Listing, suspension, ST, members and industry: those that "
    "differ for longest, and the first day.",
    "每只股票差异最大的一天及其差异天数；上市、停牌、ST、成分与行业按差异天数排序，列出首日。",
)
_FACTOR = Text(
    "Steps of the factor from one day to the next: its level is free.", "复权因子只比较逐日变动，水平可任意。"
)


class CountsRecord(TypedDict):
    """See `deepfactor.panel.pair_tally.Counts`."""

    compared: int
    differ: int
    only_a: int
    only_b: int


class CaseRecord(TypedDict):
    """See `deepfactor.panel.pair_tally.Case`."""

    symbol: str
    date: str
    a: float | str | None
    b: float | str | None
    size: float
    days: int


class DifferenceRecord(CountsRecord):
    """See `deepfactor.panel.pair_tally.Difference`; the counts are of all years."""

    quantity: str
    group: str
    tolerance: float
    relative: bool
    stocks: int
    by_year: dict[str, CountsRecord]
    worst: list[CaseRecord]


class CoverageRecord(TypedDict):
    """See `deepfactor.panel.market_pair.Coverage`."""

    days: dict[str, int]
    stocks: dict[str, int]
    indices: dict[str, int]
    examples: dict[str, list[str]]
    traded: dict[str, CountsRecord]


class SideRecord(TypedDict):
    """One of the markets."""

    market: str
    source: str
    fingerprint: str
    span: list[str]
    stocks: int
    days: int


class MarketPairRecord(TypedDict):
    """What `deepfactor.pipeline.market_pair.reconcile_market` returns."""

    a: SideRecord
    b: SideRecord
    coverage: CoverageRecord
    differences: list[DifferenceRecord]


def render_market_pair(pair: MarketPairRecord, language: str = "en") -> str:
    """One HTML file that needs nothing else, in both languages; `language` is the one shown first."""
    years = sorted({year for one in pair["differences"] for year in one["by_year"]})
    return document(
        "market_pair.html.j2",
        language,
        title=Text("{a} beside {b}", "{a} 与 {b} 对照").filled(a=_name(pair["a"]), b=_name(pair["b"])),
        sides=[_facts(pair["a"], Text("A", "A")), _facts(pair["b"], Text("B", "B"))],
        covered=[table for table in (_covered(pair["coverage"]), _traded(pair["coverage"])) if table],
        summary=_summary(pair["differences"]),
        by_year=_by_year(pair["differences"], years),
        worst=list(_worst(pair["differences"])),
        worst_said=_WORST,
        factor=_FACTOR,
    )


def quantity(name: str) -> Text:
    """A quantity in words."""
    of, _, index = name.partition(".")
    return _OF_INDEX[of].filled(index=words().universe(index)) if index else QUANTITIES[name]


def tolerance(one: DifferenceRecord) -> str:
    """Like ``0.1%`` or ``0.0051``; nothing of flags and names."""
    if one["tolerance"] == 0.5:
        return MISSING
    return number(one["tolerance"], "percent" if one["relative"] else "plain")


def value(shown: float | str | None) -> str:
    """A value as it is, with as many digits as it needs."""
    if shown is None:
        return MISSING
    return shown if isinstance(shown, str) else f"{shown:,.10g}" if abs(shown) >= 1000 else f"{shown:.6g}"


def _name(side: SideRecord) -> str:
    return side["market"].rstrip("/").rpartition("/")[2]


def _facts(side: SideRecord, label: Text) -> list[Fact]:
    return [
        (label, side["market"]),
        (Text("Source", "来源"), words().name(side["source"])),
        (Text("Span", "区间"), span(side["span"])),
        (Text("Stocks", "股票数"), number(side["stocks"], "count")),
        (Text("Trading days", "交易日数"), number(side["days"], "count")),
        (Text("Data fingerprint", "数据指纹"), side["fingerprint"]),
    ]


def _heads(*named: tuple[str, Text]) -> list[str | Metric]:
    return [head(key, label) for key, label in named]


def _covered(coverage: CoverageRecord) -> Table | None:
    given = {"days": coverage["days"], "stocks": coverage["stocks"], "indices": coverage["indices"]}
    rows = []
    for what, counts in given.items():
        found = [coverage["examples"].get(f"{what}.{side}", []) for side in ("only_a", "only_b")]
        shown = [", ".join(one) or MISSING for one in found]
        rows.append(
            (*label_cells(_COVERED[what]), *(Cell(counts[side], "count") for side, _ in _SIDES), *label_cells(*shown))
        )
    named = [
        *_SIDES,
        ("first_a", Text("First of A alone", "仅A的前几个")),
        ("first_b", Text("First of B alone", "仅B的前几个")),
    ]
    return make("covered", Text("What both have", "共同范围"), _heads(("what", Text("Range", "范围")), *named), rows)


def _traded(coverage: CoverageRecord) -> Table | None:
    rows = [
        (*label_cells(year), *(Cell(one[key], "count") for key in ("compared", "only_a", "only_b")))
        for year, one in coverage["traded"].items()
    ]
    columns = _heads(("year", Text("Year", "年份")), *_SIDES)
    return make("traded", Text("Stock-days with a trade", "有成交的股票日"), columns, rows)


def _share(one: CountsRecord) -> float | None:
    return one["differ"] / one["compared"] if one["compared"] else None


def _summary(differences: Iterable[DifferenceRecord]) -> Table | None:
    rows = [
        (
            *label_cells(GROUPS[one["group"]], quantity(one["quantity"]), tolerance(one)),
            Cell(one["compared"], "count"),
            Cell(one["differ"], "count"),
            Cell(_share(one), "small_share"),
            Cell(one["only_a"], "count"),
            Cell(one["only_b"], "count"),
            Cell(one["stocks"], "count"),
        )
        for one in differences
    ]
    columns = _heads(
        ("group", Text("Part", "类别")),
        ("quantity", Text("Quantity", "内容")),
        ("tolerance", Text("Tolerance", "容差")),
        ("compared", Text("Compared", "比较数")),
        ("differ", Text("Differ", "不同")),
        ("share", Text("Share", "占比")),
        ("only_a", Text("Only A", "仅A")),
        ("only_b", Text("Only B", "仅B")),
        ("stocks", Text("Stocks", "股票数")),
    )
    return make("differences", Text("Differences", "差异"), columns, rows, _SAME)


def _by_year(differences: Sequence[DifferenceRecord], years: Sequence[str]) -> Table | None:
    rows = [
        (
            *label_cells(quantity(one["quantity"])),
            *(Cell(_share(one["by_year"][year]), "small_share") for year in years),
        )
        for one in differences
        if one["differ"]
    ]
    columns: list[str | Metric] = [head("quantity", Text("Quantity", "内容")), *map(head, years)]
    title = Text("Share of stock-days that differ, by year", "分年度差异占比")
    return make("by_year", title, columns, rows)


def _worst(differences: Iterable[DifferenceRecord]) -> Iterator[Table]:
    """A table a quantity that differs."""
    columns = _heads(
        ("symbol", Text("Stock", "股票")),
        ("day", Text("Day", "日期")),
        ("a", Text("A", "A")),
        ("b", Text("B", "B")),
        ("days", Text("Days", "天数")),
    )
    for one in differences:
        rows = [
            (
                *label_cells(case["symbol"], case["date"], value(case["a"]), value(case["b"])),
                Cell(case["days"], "count"),
            )
            for case in one["worst"]
        ]
        name = f"worst-{one['quantity'].replace('.', '-')}"
        if (table := make(name, quantity(one["quantity"]), columns, rows)) is not None:
            yield table
