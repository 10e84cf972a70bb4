"""The evening page: what to trade tomorrow and why, account by account, and how the score is. Computes nothing: it sets
out what `nightly` has left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfactor.core.words import Text
from deepfactor.desk.earned import EarnedRecord
from deepfactor.desk.files import read_columns
from deepfactor.desk.monitoring import Light
from deepfactor.desk.record import RebalanceRecord
from deepfactor.report.press.blocks import Fact
from deepfactor.report.press.formats import number
from deepfactor.report.press.html import document
from deepfactor.report.press.tables import Cell, Table, defined, head, label_cells, make
from deepfactor.report.press.words import Metric, words
from deepfactor.report.press.workbook import workbook

STATES = {"ok": Text("ok", "正常"), "alarm": Text("ALARM", "警报"), "too_few": Text("too few days", "天数不足")}
#: Why a trade is wanted where no bound on the name binds.
REASONS = {"score": Text("score", "得分"), "not_eligible": Text("no score that counts", "无有效得分")}
SIDES = {"buy": Text("buy", "买入"), "sell": Text("sell", "卖出")}
_MEASURES = {
    "coverage": Text("names scored", "评分覆盖率"),
    "autocorrelation": Text("correlation with the day before", "与前一日的相关"),
    "turnover": Text("turnover of the top tenth", "前10%换手"),
    "activity": Text("activity of the top tenth", "前10%成交占比"),
    "rank_ic": Text("RankIC, last matured days", "近期RankIC"),
    "age": Text("age of the model, days", "模型年龄（交易日）"),
}
_STYLES = {"age": "count"}
_LEANINGS = {
    "size": Text("size", "市值"),
    "ret_20": Text("a month's return", "近一月收益"),
    "vol_20": Text("a month's volatility", "近一月波动"),
    "turnover_20": Text("a month's turnover", "近一月换手"),
}
_FAMILIES = {
    "leans on ": Text("leans on {name}", "偏向{name}"),
    "frozen ": Text("stands still: {name}", "静止不变：{name}"),
    "moved ": Text("has moved: {name}", "分布漂移：{name}"),
}


@dataclass(frozen=True)
class AccountEvening:
    """What an account's evening has come to; `record` and `folder` None = nothing is decided tonight, by `why`.

    `earned`: what the day has earned, or why that isn't known."""

    name: str
    record: RebalanceRecord | None = None
    folder: Path | None = None
    why: Text | None = None
    released_by: str | None = None
    earned: EarnedRecord | Text | None = None


def evening_workbook(day: str, lights: Sequence[Light], accounts: Sequence[AccountEvening], source: str) -> bytes:
    """The page's tables as an Excel workbook, a sheet a table."""
    tables = [*([shown] if (shown := _lights(lights)) else []), *(table for one in accounts for table in _tables(one))]
    return workbook(Text("The evening of {day}", "{day} 收盘后").filled(day=day), (), source, tables)


def render_evening(
    day: str, facts: Sequence[Fact], lights: Sequence[Light], accounts: Sequence[AccountEvening], language: str = "en"
) -> str:
    """One HTML file that needs nothing else, in both languages; `language` is the one shown first."""
    shown = _lights(lights)
    placed = [
        {"id": f"account-{i}", "name": one.name, "facts": _facts(one), "tables": list(_tables(one))}
        for i, one in enumerate(accounts)
    ]
    tables = [table for one in placed for table in _listed(one["tables"])]
    return document(
        "evening.html.j2",
        language,
        title=Text("The evening of {day}", "{day} 收盘后").filled(day=day),
        facts=list(facts),
        lights=shown,
        accounts=placed,
        metrics=defined([*([shown] if shown else []), *tables]),
    )


def _listed(tables: object) -> list[Table]:
    assert isinstance(tables, list)
    return tables


def _lights(lights: Sequence[Light]) -> Table | None:
    """Alarms first; of the inputs, which are many, those that are out of their band."""
    quiet = ("frozen ", "moved ")
    kept = [one for one in lights if one.state != "ok" or not one.measure.startswith(quiet)]
    rows = [
        (
            *label_cells(STATES[one.state], _measure(one.measure)),
            *(Cell(value, _STYLES.get(one.measure, "correlation")) for value in (one.value, one.low, one.high)),
        )
        for one in sorted(kept, key=lambda one: one.state != "alarm")
    ]
    columns = _heads(("State", "状态"), ("Measure", "指标"), ("Value", "数值"), ("From", "下限"), ("To", "上限"))
    return make("lights", Text("Is it still what was tested?", "是否仍与回测一致"), columns, rows)


def _measure(name: str) -> Text:
    for start, text in _FAMILIES.items():
        if name.startswith(start):
            of = name.removeprefix(start)
            return text.filled(name=_LEANINGS.get(of) or words().term(of))
    return _MEASURES[name]


def _facts(one: AccountEvening) -> list[Fact]:
    record = one.record
    day: list[Fact] = (
        [(Text("The day's active return", "当日主动收益"), one.earned)] if isinstance(one.earned, Text) else []
    )
    if record is None:
        return [(Text("Tonight", "今晚"), one.why or Text("nothing to decide", "无需决策")), *day]
    out = Text("draft", "草稿")
    if one.released_by is not None:
        out = Text("released by {by}", "已由{by}放行").filled(by=one.released_by)
    return [
        (Text("Status", "状态"), out),
        (Text("For", "交易日"), record["trade_date"] or "–"),
        (Text("Index", "指数"), words().universe(record["index"])),
        (Text("Value", "账户市值"), number(record["value"], "count")),
        (Text("Cash after", "成交后现金"), number(record["expected_cash"], "count")),
        (Text("Turnover, both sides", "双边换手"), number(record["turnover"], "percent")),
        (Text("Expected cost", "预计费用"), number(record["expected_cost"], "count")),
        (Text("Bounds not kept", "未满足的约束"), number(len(record["relaxations"]), "count")),
        *day,
    ]


def _tables(one: AccountEvening) -> Iterable[Table]:
    made = [_earned(one)]
    if one.folder is not None:
        made += [_trades(one), _undone(one), _book(one), _bounds(one), _exposures(one), _risk(one)]
    yield from (table for table in made if table is not None)


def _earned(one: AccountEvening) -> Table | None:
    """The day's active return: the sum, then by styles, industries and selection, the largest of each first."""
    day = one.earned
    if day is None or isinstance(day, Text):
        return None
    rows = [
        _line(Text("Held over night", "隔夜持仓"), "", day["held"]),
        _line(Text("Index by its weights", "指数（按权重复制）"), "", day["replica"]),
        _line(Text("Active", "主动收益"), "", day["held"] - day["replica"]),
        _line(Text("Selection", "选股"), "", day["selection"]),
        _line(Text("Cash", "现金"), "", day["cash"]),
    ]
    for part, by_name in ((Text("Style", "风格"), day["styles"]), (Text("Industry", "行业"), day["industries"])):
        rows.append(_line(part, Text("all", "合计"), sum(by_name.values())))
        largest = sorted(by_name.items(), key=lambda item: -abs(item[1]))
        rows += [_line(part, words().term(name), value) for name, value in largest]
    if day["book"] is not None:
        rows.append(_line(Text("Trades, costs, money moved", "交易、费用与资金进出"), "", day["book"] - day["held"]))
    columns = _heads(("Part", "部分"), ("Of", "对象"), ("Return", "收益"))
    title = Text("What {day} earned, and by what", "{day} 收益及来源").filled(day=day["date"])
    return make(f"earned_{one.name}", title, columns, rows)


def _line(part: Text, of: str, value: float) -> tuple[Cell, ...]:
    return (*label_cells(part, of), Cell(value, "signed_points"))


def _rows(one: AccountEvening, file: str, names: Sequence[str]) -> list[dict[str, str]]:
    assert one.folder is not None
    columns = read_columns(one.folder / f"{file}.csv", names)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _number(text: str) -> float | None:
    return float(text) if text else None


def _trades(one: AccountEvening) -> Table | None:
    names = ("symbol", "side", "shares", "price", "amount", "drifted_weight", "target_weight", "score", "reason")
    rows = [
        (
            *label_cells(row["symbol"], SIDES[row["side"]]),
            Cell(_number(row["shares"]), "count"),
            Cell(_number(row["price"]), "ratio"),
            Cell(_number(row["amount"]), "count"),
            Cell(_number(row["drifted_weight"]), "percent"),
            Cell(_number(row["target_weight"]), "percent"),
            Cell(_number(row["score"]), "signed"),
            *label_cells(REASONS.get(row["reason"]) or words().term(row["reason"])),
        )
        for row in _rows(one, "trades", names)
    ]
    columns = _heads(
        ("Stock", "股票"), ("Side", "方向"), ("Shares", "股数"), ("Last close", "收盘价"), ("Amount", "金额"),
        ("Weight now", "现有权重"), ("Target", "目标权重"), ("Score", "得分"), ("Because of", "原因"),
    )  # fmt: skip
    return make(f"trades_{one.name}", Text("To trade", "待交易"), columns, rows)


def _undone(one: AccountEvening) -> Table | None:
    rows = [
        (*label_cells(row["symbol"], SIDES[row["side"]]), Cell(_number(row["shares"]), "count"),
         *label_cells(words().term(row["reason"])))
        for row in _rows(one, "undone", ("symbol", "side", "shares", "reason"))
    ]  # fmt: skip
    columns = _heads(("Stock", "股票"), ("Side", "方向"), ("Shares", "股数"), ("Why not", "未交易原因"))
    return make(f"undone_{one.name}", Text("Wanted and left out", "目标中未能下单的部分"), columns, rows)


def _book(one: AccountEvening) -> Table | None:
    """What is held, the largest first, and what of it is aimed at."""
    names = ("symbol", "drifted_weight", "benchmark_weight", "weight", "score")
    held = [row for row in _rows(one, "targets", names) if (_number(row["drifted_weight"]) or 0.0) > 0]
    rows = []
    for row in sorted(held, key=lambda row: -float(row["drifted_weight"])):
        now, index, aim = (_number(row[name]) or 0.0 for name in names[1:4])
        weights = (Cell(now, "percent"), Cell(now - index, "signed_percent"), Cell(aim, "percent"))
        rows.append((*label_cells(row["symbol"]), *weights, Cell(_number(row["score"]), "signed")))
    columns = _heads(
        ("Stock", "股票"), ("Weight", "权重"), ("Active", "主动权重"), ("Target", "目标"), ("Score", "得分")
    )
    return make(f"book_{one.name}", Text("The book tonight", "今晚持仓"), columns, rows)


def _bounds(one: AccountEvening) -> Table | None:
    """Bounds that bind, or are not kept: a stock's bound has a line a stock, most of them idle."""
    names = ("constraint", "row", "lower", "upper", "before", "target", "expected", "slack", "shadow_price")
    rows = []
    for row in _rows(one, "constraints", names):
        slack, price = _number(row["slack"]), _number(row["shadow_price"])
        if (slack is not None and slack < 0) or (price is not None and price != 0):
            values = (_number(row[name]) for name in names[2:7])
            rows.append((*label_cells(words().term(row["constraint"]), words().term(row["row"])),
                         *(Cell(value, "correlation") for value in values), Cell(price, "plain")))  # fmt: skip
    columns = _heads(
        ("Bound", "约束"), ("Of", "对象"), ("From", "下限"), ("To", "上限"), ("Before", "调仓前"),
        ("Target", "目标"), ("Expected", "预计"), ("Shadow price", "影子价格"),
    )  # fmt: skip
    return make(f"bounds_{one.name}", Text("Bounds that bind", "起作用的约束"), columns, rows)


def _exposures(one: AccountEvening) -> Table | None:
    names = ("kind", "name", "before", "target", "expected")
    rows = [
        (*label_cells(words().term(row["kind"]), words().term(row["name"])),
         *(Cell(_number(row[name]), "correlation") for name in names[2:]))
        for row in _rows(one, "exposures", names)
    ]  # fmt: skip
    columns = _heads(("Kind", "类别"), ("Of", "对象"), ("Before", "调仓前"), ("Target", "目标"), ("Expected", "预计"))
    return make(f"exposures_{one.name}", Text("Active exposures", "主动暴露"), columns, rows)


_RISKS = {
    "tracking_error": Text("forecast tracking error", "预测跟踪误差"),
    "specific_share": Text("specific share of the variance", "特质方差占比"),
    "industries": Text("industries add", "行业贡献"),
    "style": Text("style adds", "风格贡献"),
    "marginal": Text("a unit of exposure more adds", "每单位暴露的边际"),
    "name": Text("stock adds", "个股贡献"),
}


def _risk(one: AccountEvening) -> Table | None:
    """Forecast active risk, of accounts with a risk model."""
    assert one.folder is not None
    if not (one.folder / "risk.csv").is_file():
        return None
    names = ("kind", "name", "before", "target", "expected")
    rows = [
        (*label_cells(_RISKS[row["kind"]], words().term(row["name"])),
         *(Cell(_number(row[name]), "percent") for name in names[2:]))
        for row in _rows(one, "risk", names)
    ]  # fmt: skip
    columns = _heads(
        ("Risk a year", "年化风险"), ("Of", "对象"), ("Before", "调仓前"), ("Target", "目标"), ("Expected", "预计")
    )
    return make(f"risk_{one.name}", Text("Active risk", "主动风险"), columns, rows)


def _heads(*titles: tuple[str, str]) -> list[str | Metric]:
    return [head(english.lower().replace(" ", "_"), Text(english, chinese)) for english, chinese in titles]
