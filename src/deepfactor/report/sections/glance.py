"""The first screen: what was run and what came of it in three sentences, returns beside the index's, the book."""

from __future__ import annotations

from deepfactor.core.words import Text, joined, listed
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.content.reading import HEADLINE_HORIZONS, lead_arm
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Block, Heading, Section, Sentences, Tables
from deepfactor.report.press.facts import span
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import words
from deepfactor.report.sections import _verdict as skill
from deepfactor.report.sections._book import book

ORDER = 5

RUN = Text("{n} models on {market}, tested {span}.", "{n}个模型，数据：{market}，测试区间：{span}。")
FOLLOWED = Text(
    "{n} models on {market}, tested {span}; portfolios after cost: {k}.",
    "{n}个模型，数据：{market}，测试区间：{span}；{k}个费后组合。",
)
RANKS = Text(
    "{arm} has a RankIC of {ic} at {h} trading days over {universe} (ICIR {icir}).",
    "{arm}在{universe}上{h}个交易日的秩相关IC为{ic}（ICIR {icir}）。",
)
RANKS_BESIDE = Text(
    "{arm} has a RankIC of {ic} at {h} trading days over {universe} (ICIR {icir}); beside {other}: {said}.",
    "{arm}在{universe}上{h}个交易日的秩相关IC为{ic}（ICIR {icir}）；与{other}相比：{said}。",
)
EARNS = Text(
    "After cost its portfolio on {index} earns {excess} a year over the index (tracking error {error}, information "
    "ratio {ratio}): {luck}.",
    "其{index}增强组合费后年化超额{excess}（跟踪误差{error}，信息比率{ratio}）：{luck}。",
)
_SIMULATED = Text("the simulated market", "模拟市场")
_ALL = Text("all stocks", "全市场")
NOT_FOLLOWED = Text("how much of it luck can do was not followed", "未评估运气所得")
RETURNS_NOTE = Text(
    "After cost, a year (252 days), without a risk-free rate; the index is the benchmark of the excess.",
    "费后，年化（252日），不扣无风险利率；指数为超额收益之基准。",
)
_PAIRS = (
    ("annual_return", Text("Return", "收益"), "signed_percent"),
    ("volatility", Text("Volatility", "波动率"), "percent"),
    ("max_drawdown", Text("Drawdown", "最大回撤"), "percent"),
    ("sharpe", Text("Sharpe", "夏普比率"), "ratio"),
)
_OF_INDEX = Text("{what}, index", "{what}（指数）")


def section(content: RunContent, make: Maker) -> Section | None:
    """Sentences, a row a portfolio, and the book of the first."""
    title = Text("At a glance", "概览")
    lead = lead_arm(content)
    if lead is None:
        return None
    own = [p for p in content.portfolios if p.arm == lead.name]
    said = make.many(sentences, content, lead, own)
    blocks: list[Block] = [Sentences(tuple(said), "glance", "glance")] if said else []
    blocks.append(Tables(make.all((returns, content))))
    if own:
        held = book(make, own[0], "book")
        of = joined(" · ", [own[0].arm, words().universe(own[0].index), own[0].named])
        blocks += [Heading(Text("The book of {of}", "持仓：{of}").filled(of=of)), *held] if held else []
    return Section(title, tuple(blocks), link=title, open=True)


def sentences(content: RunContent, lead: ArmContent, own: list[PortfolioContent]) -> list[Text]:
    """What was run; how well the lead arm ranks; what its portfolios earn."""
    market = content.environment["market"]
    ends = lead.factor_report.get("span")
    facts = {
        "n": len(content.arms),
        "market": _SIMULATED if content.simulated else words().name(market.get("name") or market.get("source") or "–"),
        "span": span(ends) if ends else "–",
        "k": len(content.portfolios),
    }
    said = [(FOLLOWED if content.portfolios else RUN).filled(**facts)]
    said += _ranks(content, lead)
    return [*said, *(_earns(p) for p in own)]


def _ranks(content: RunContent, lead: ArmContent) -> list[Text]:
    record = lead.record(content.lead, HEADLINE_HORIZONS[0], content.main)
    if record is None:
        return []
    facts = {
        "arm": lead.name,
        "ic": number(record["rank_ic"]["mean"], "ic"),
        "icir": number(record["rank_ic"]["icir"], "ratio"),
        "h": HEADLINE_HORIZONS[0],
        "universe": _ALL if content.lead == "all" else words().universe(content.lead),
    }
    other = skill.baseline(content, lead)
    beside = [] if other is None else skill.beside(content, lead, other)
    if other is None or not beside:
        return [RANKS.filled(**facts)]
    return [RANKS_BESIDE.filled(**facts, other=other.name, said=listed(beside))]


def _earns(p: PortfolioContent) -> Text:
    whole = p.whole
    return EARNS.filled(
        index=words().universe(p.index),
        excess=number(whole.get("excess"), "signed_percent"),
        error=number(whole.get("tracking_error"), "percent"),
        ratio=number(whole.get("information_ratio"), "ratio"),
        luck=skill.luck(p) or NOT_FOLLOWED,
    )


def _capacity(p: PortfolioContent) -> dict[str, float] | None:
    """The capacity of a portfolio in CNY 100 million; None of a run of before, or where it isn't known."""
    room = p.summary.get("capacity")
    book = None if room is None else room["median"]
    return None if book is None else {"capacity": book / 1e8}


def returns(content: RunContent) -> Table | None:
    """A row a portfolio: its return, volatility, drawdown and Sharpe ratio, each beside the index's; its capacity."""
    rows = []
    for p in content.portfolios:
        numbers = (value_cell(p.whole, key, style) for one, _, style in _PAIRS for key in (one, f"benchmark_{one}"))
        labels = label_cells(p.arm, words().universe(p.index), p.named)
        rows.append((*labels, *numbers, value_cell(_capacity(p), "capacity", "ratio")))
    heads = [
        head(k, t) for one, what, _ in _PAIRS for k, t in ((one, what), (f"{one}_index", _OF_INDEX.filled(what=what)))
    ]
    return make(
        "returns",
        Text("Portfolio and index", "组合与指数"),
        ["arm", "index", "constraints", *heads, "capacity"],
        rows,
        RETURNS_NOTE,
    )
