"""The market behind the run: what it is, what was derived, and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from markupsafe import Markup

from deepfactor.core.words import Text, joined
from deepfactor.report.content import RunContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import ALL, Block, Fact, Facts, Heading, Said, Section, Sentences, Tables, columns
from deepfactor.report.press.facts import sentence, span
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import Cell, Table, label_cells, make
from deepfactor.report.press.words import words
from deepfactor.runs.environment import MarketRecord

ORDER = 112

#: Counts by name, or by name and name below.
Counts: TypeAlias = "Mapping[str, int | Counts]"

FACTS = {
    "source": Text("Source", "来源"),
    "name": Text("Market", "市场"),
    "span": Text("Span", "区间"),
    "days": Text("Trading days", "交易日数"),
    "stocks": Text("Stocks", "股票数"),
    "cap": Text("Capitalisation", "市值口径"),
    "settings": Text("Settings", "设置"),
    "fingerprint": Text("Data fingerprint", "数据指纹"),
}


def section(content: RunContent, make: Maker) -> Section | None:
    """Facts beside what was left out; every count folded in."""
    facts, title = make.many(market_facts, content), Text("Data", "数据")
    left = make.all((market_left_out, content), (left_out, content))
    more = make.all((left_out_rest, content), (training_left_out, content))
    if not facts and not left:
        return None
    said = (Facts(facts), *_said(content.environment["market"]))
    blocks = (
        Said(
            Text(
                "What the run read, what was derived from it, and what was left out.",
                "本次运行读取了什么、推导了什么、排除了什么。",
            )
        ),
        columns(said, [Tables(left)]),
        Tables(more, folds=ALL),
    )
    return Section(title, blocks, link=title)


def _said(market: MarketRecord) -> Iterator[Block]:
    """What was derived, and the source's notes."""
    derived: list[str] = [words().derived(item) for item in market.get("derived") or ()]
    if indices := market.get("derived_index_weights"):
        names = joined(", ", [words().universe(i) for i in indices])
        derived.append(Markup("{}: {}").format(Text("index weights", "指数权重"), names))
    if derived:
        yield from (Heading(Text("Derived, not delivered", "推导所得（非原始数据）")), Sentences(tuple(derived)))
    if notes := market.get("notes"):
        yield from (Heading(Text("Notes", "说明")), Sentences(tuple(words().sentence(item) for item in notes)))


def market_facts(content: RunContent) -> list[Fact]:
    """What the market is, in the order of importance."""
    market = content.environment["market"]
    return [
        (label, _market_text(key, value))
        for key, label in FACTS.items()
        if (value := market.get(key)) not in (None, {}, "")
    ]


def _market_text(key: str, value: Any) -> str:
    if key == "span":
        return span(value)
    if key in ("source", "cap"):
        return words().name(value)
    return number(value, "count") if key in ("days", "stocks") else sentence(value)


def left_out(content: RunContent) -> Table | None:
    """What the numbers of the first page leave out: counts of the whole test and of the lead universe's main test."""
    main = f"{content.lead}.{content.main}.10.all"
    chosen = (f"groups.{content.lead}.", f".{main}", f".{content.main}.10")
    return _left_out(
        content,
        "left_out",
        Text("Left out of the tests", "测试中排除的数据"),
        lambda r: "." not in r or r.startswith(chosen[0]) or r.endswith(chosen[1:]),
    )


def left_out_rest(content: RunContent) -> Table | None:
    """Every count of what was left out."""
    return _left_out(content, "left_out_all", Text("Every count of what was left out", "全部排除计数"), lambda _: True)


def _left_out(content: RunContent, name: str, title: Text, wanted: Callable[[str], bool]) -> Table | None:
    rows = [
        (*label_cells(arm.name, _reason(reason)), Cell(count, "count"))
        for arm in content.arms
        for reason, count in (arm.factor_report.get("dropped") or {}).items()
        if wanted(reason)
    ]
    return make(
        name,
        title,
        ("arm", "what", "count"),
        rows,
        Text(
            "Rows, names and days that a test did not use, with the reason.", "测试未使用的行、股票与日期，及其原因。"
        ),
    )


def _reason(path: str) -> Text:
    """A dotted count's name, part by part; universes by their names."""
    for code in ("000300.SH", "000905.SH", "000852.SH", "000985.SH"):
        path = path.replace(code, code.replace(".", "~"))
    parts = (part.replace("~", ".") for part in path.split("."))
    return joined(" · ", [_part(part) for part in parts])


def _part(part: str) -> Text:
    return words().term(part) if part in words().terms or part[:1] != "t" else Text(part)


def market_left_out(content: RunContent) -> Table | None:
    """Rows of the source that the market doesn't hold, by reason."""
    dropped = content.environment["market"].get("dropped") or {}
    rows = [(*label_cells(words().sentence_or_term(reason)), Cell(count, "count")) for reason, count in dropped.items()]
    return make(
        "left_out_market",
        Text("Left out of the market", "入库时排除的数据"),
        ("what", "count"),
        rows,
        Text("Rows of the source that the market does not hold.", "数据源中未进入市场库的行。"),
    )


def training_left_out(content: RunContent) -> Table | None:
    """What the samples of each fold leave out, which its seeds share, and days without deep factors."""
    rows, seen = [], set()
    for arm in content.arms:
        for job in arm.training.get("jobs", ()):
            if (arm.name, job["fold"]) in seen:
                continue
            seen.add((arm.name, job["fold"]))
            for what, count in counts(job.get("left_out", {})):
                rows.append((*label_cells(arm.name, job["fold"], words().term(what)), Cell(count, "count")))
        for job in arm.training.get("jobs", ()):  # these are the network's own, so each seed's
            lacking = {"days_without_factors": job.get("days_without_factors", {})}
            which = joined(" ", [job.get("fold", ""), words().metrics["seed"].label, job.get("seed", "")])
            rows += [(*label_cells(arm.name, which, words().term(w)), Cell(n, "count")) for w, n in counts(lacking)]
    return make(
        "left_out_training",
        Text("Left out of training and prediction", "训练与预测中排除的数据"),
        ("arm", "fold", "what", "count"),
        rows,
    )


def counts(entries: Counts, above: str = "") -> Iterator[tuple[str, int]]:
    """Counts of a nested mapping that are not zero, with their path joined by a middle dot."""
    for key, value in entries.items():
        path = f"{above} · {key}".removeprefix(" · ").replace("_", " ")
        if isinstance(value, Mapping):
            yield from counts(value, path)
        elif value:
            yield path, value
