"""The page of a market's data audit. Computes nothing: it sets out what `deepfactor check` found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from deepfactor.core.words import Text, joined
from deepfactor.report.press.blocks import Fact
from deepfactor.report.press.facts import span
from deepfactor.report.press.formats import MISSING, number
from deepfactor.report.press.html import document
from deepfactor.report.press.tables import Cell, Table, defined, head, label_cells, make
from deepfactor.report.press.words import Metric, words
from deepfactor.runs.environment import MarketRecord
from deepfactor.store.checks import FindingRecord

SEVERITIES = {"error": Text("error", "错误"), "warning": Text("warning", "警告")}
SIZES = (
    Text("Stocks", "股票数"),
    Text(
        "Days of trade; stocks listed, traded, scored (default rule) on the median day.",
        "交易日数；中位日的上市、成交与可评分（默认规则）股票数。",
    ),
)
STOCK_DAYS = (
    Text("Stock-days", "股票日"),
    Text(
        "Closes at the day's limit; listed but not traded = suspended.", "收盘价处于当日涨跌停价；上市而无成交即停牌。"
    ),
)
COVERAGE = (
    Text("Coverage", "覆盖率"),
    Text("Share of traded stock-days that have a value.", "有成交的股票日中有数值的比例。"),
)
REPLICAS = (
    Text("Index replicas, with dividends, against the published price indices", "复制指数（含分红）与公布的价格指数"),
    Text(
        "Correlation and tracking error a year of daily returns; returns of the year.",
        "日收益的相关系数与年化跟踪误差；当年收益。",
    ),
)
BEYOND = (
    Text("Closes beyond the day's limit", "超出涨跌停价的收盘价"),
    Text(
        "By year and board; limits are derived from board, date, ST mark and reference price.",
        "按年份与板块；涨跌停价由板块、日期、ST标记与前收盘价推导。",
    ),
)


class Beyond(TypedDict):
    """Closes at or beyond their limit in a year on a board, and the reasons of those beyond."""

    year: int
    board: str
    limited: int
    reasons: dict[str, int]


class Audit(TypedDict):
    """What `deepfactor.pipeline.checking.check` returns; what may lack is of sound tables alone."""

    market: str
    fingerprint: str
    errors: int
    findings: list[FindingRecord]
    account: NotRequired[MarketRecord]
    derived: NotRequired[list[str]]
    not_possible: NotRequired[list[str]]
    counts: NotRequired[dict[str, int]]
    years: NotRequired[list[int]]
    sizes: NotRequired[dict[str, list[float | None]]]
    stock_days: NotRequired[dict[str, list[float | None]]]
    coverage: NotRequired[dict[str, list[float | None]]]
    replicas: NotRequired[dict[str, dict[str, list[float | None]]]]
    beyond: NotRequired[list[Beyond]]


def render_audit(audit: Audit, language: str = "en") -> str:
    """One HTML file that needs nothing else, in both languages; `language` is the one shown first.

    Parameters
    ----------
    audit : what `deepfactor.pipeline.checking.check` returns
    """
    account: MarketRecord = audit.get("account") or {}
    tables = [table for table in (findings(audit), *by_year(audit)) if table is not None]
    return document(
        "audit.html.j2",
        language,
        title=Text("Data audit of {market}", "数据审计：{market}").filled(market=audit["market"]),
        audit=audit,
        facts=facts(audit, account),
        findings=tables[0] if tables and tables[0].id == "findings" else None,
        tables=[table for table in tables if table.id != "findings"],
        derived=[words().derived(item) for item in audit.get("derived", ())],
        not_possible=[words().sentence(item) for item in audit.get("not_possible", ())],
        dropped=dropped(audit, account),
        notes=[words().sentence(item) for item in account.get("notes", ())],
        metrics=defined(tables),
    )


def findings(audit: Audit) -> Table | None:
    """Errors first: what, where, how often, examples."""
    rows = []
    for one in audit["findings"]:
        where = joined(".", [words().table(one["table"]), *([one["column"]] if one["column"] else [])])
        labels = label_cells(SEVERITIES[one["severity"]], words().finding(one), where)
        rest = label_cells("; ".join(one["examples"]) or MISSING, one["code"])
        rows.append((*labels, Cell(one["count"], "count"), *rest))
    columns = ("severity", "finding", "where", "count", "examples", "finding_code")
    return make("findings", Text("Findings", "审计发现"), columns, rows)


def facts(audit: Audit, account: MarketRecord) -> list[Fact]:
    """What was audited."""
    told: list[Fact] = [
        (Text("Market", "市场"), str(audit["market"])),
        (Text("Data fingerprint", "数据指纹"), str(audit["fingerprint"])),
    ]
    if account:
        told += [(Text("Source", "来源"), words().name(account["source"]))]
        told += [(Text("Span", "区间"), span(account["span"]))]
        counted = ((Text("Stocks", "股票数"), account["stocks"]), (Text("Trading days", "交易日数"), account["days"]))
        told += [(label, number(n, "count")) for label, n in counted]
    if (held := account.get("holdout")) is not None and held["opened"] is None:
        said = Text("{n} days from {start} on, not shown", "{start}起的{n}个交易日，未显示")
        told += [(Text("Locked holdout", "锁定的留存期"), said.filled(n=held["locked_days"], start=held["start"]))]
    return told


def dropped(audit: Audit, account: MarketRecord) -> Table | None:
    """Rows that the source's account or the panel left out or treats apart, by reason."""
    given = [*account.get("dropped", {}).items(), *audit.get("counts", {}).items()]
    rows = [(*label_cells(words().sentence_or_term(why)), Cell(n, "count")) for why, n in given]
    return make("audit_dropped", Text("Dropped or treated apart", "剔除或另行处理的数据"), ("what", "count"), rows)


def by_year(audit: Audit) -> list[Table | None]:
    """The statistics by year; none where the tables themselves are wrong."""
    if "years" not in audit:
        return []
    years = [str(year) for year in audit["years"]]
    return [
        _table("sizes", SIZES, years, audit["sizes"], "count"),
        _table("stock_days", STOCK_DAYS, years, audit["stock_days"], "count"),
        _table("coverage", COVERAGE, years, audit["coverage"], "percent"),
        _replicas(audit, years),
        _beyond(audit),
    ]


def _table(
    name: str,
    said: tuple[Text, Text],
    years: Sequence[str],
    values: Mapping[str, Sequence[float | None]],
    style: str,
) -> Table | None:
    rows = [
        (*label_cells(words().term(row)), *(Cell(value, style) for value in by_year)) for row, by_year in values.items()
    ]
    columns: list[str | Metric] = ["audited", *map(head, years)]
    return make(f"audit_{name}", said[0], columns, rows, said[1])


_REPLICA = (
    ("correlation", "correlation", Text("correlation", "相关系数")),
    ("tracking_error", "percent", Text("tracking error", "跟踪误差")),
    ("replica_return", "signed_percent", Text("replica return", "复制指数收益")),
    ("index_return", "signed_percent", Text("index return", "指数收益")),
)


def _replicas(audit: Audit, years: Sequence[str]) -> Table | None:
    """How near each index's replica came to it: index × number by year."""
    rows = [
        (
            *label_cells(words().universe(index), label),
            *(Cell(value, style) for value in replica[name]),
        )
        for index, replica in audit["replicas"].items()
        for name, style, label in _REPLICA
    ]
    columns: list[str | Metric] = ["index", "audited", *map(head, years)]
    return make("audit_replicas", REPLICAS[0], columns, rows, REPLICAS[1])


def _beyond(audit: Audit) -> Table | None:
    """Closes beyond the day's limit by year, board and reason."""
    reasons = list(audit["beyond"][0]["reasons"]) if audit["beyond"] else []
    rows = [
        (
            *label_cells(one["year"], words().term(one["board"])),
            Cell(one["limited"], "count"),
            *(Cell(n, "count") for n in one["reasons"].values()),
            Cell(one["reasons"]["unexplained"] / max(one["limited"], 1), "small_share"),
        )
        for one in audit["beyond"]
    ]
    columns: list[str | Metric] = ["audit_year", "board", "limited"]
    columns += [*(head(name, words().term(name)) for name in reasons), "share_unexplained"]
    return make("audit_beyond", BEYOND[0], columns, rows, BEYOND[1])
