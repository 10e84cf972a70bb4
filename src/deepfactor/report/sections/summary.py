"""The first page: each arm and portfolio in a row, each arm beside each other one, and what was run."""

from __future__ import annotations

from deepfactor.core.words import Text, joined, together
from deepfactor.evaluation.records import OracleFile, PairedEntry
from deepfactor.report.content import ArmContent, RunContent, pick
from deepfactor.report.content.published import reference
from deepfactor.report.content.reading import HEADLINE_HORIZONS, residual_set
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Charts, Fact, Facts, Framed, Heading, Section, Tables
from deepfactor.report.press.drawing import DASHES, Figure, days, figure, layout, line
from deepfactor.report.press.facts import heading, sentence, span
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import NOT_RUN, Cell, Table, label_cells, make, value_cell
from deepfactor.report.press.words import words
from deepfactor.report.sections._cells import ic_cell, top_cell
from deepfactor.report.sections._cumulative import cumulative_rank_ic
from deepfactor.report.sections._definitions import definitions_by_set
from deepfactor.report.sections._paired import entries, pair
from deepfactor.report.sections._portfolios import AFTER_COST, ink, known, printed, reference_of
from deepfactor.report.sections._verdict import verdict
from deepfactor.runs.environment import MarketRecord

ORDER = 10

ORACLE = Text("Oracle", "真实信号")
OF_ORACLE = Text("{name}: {note}.", "{name}：{note}。").filled(
    name=ORACLE,
    note=Text(
        "the signal that the simulated market was made from; no score can beat it but by chance",
        "生成模拟市场的信号；除非偶然，任何得分都不会优于它",
    ),
)
FACTOR_NOTE = Text(
    "Universe {universe}, clock {clock}, every day of the tested span.",
    "股票池：{universe}；收益口径：{clock}；测试区间内逐日计算。",
)
EXCESS_NOTE = Text(
    "The top group's excess is over {benchmark}, a difference of annual returns as the study's "
    "number over all stocks is; the annualised ratio of NAVs stands under Groups.",
    "多头超额的基准为{benchmark}，与研报的全市场数值同为年化收益之差；净值之比年化见“分组测试”。",
)
PORTFOLIO_NOTE = Text(
    "Long-only, weekly. Price limits, suspensions and lots are kept; costs as the constraint set states them.",
    "只做多，周频调仓；遵守涨跌停、停牌与整手限制；成本按约束集规定。",
)
OF_STUDY_B = Text(
    "Study B enhances the indices with its DecompGRU-MSE scores: its numbers stand beside that arm alone.",
    "研报B以其DecompGRU-MSE得分做指数增强：其数值只列于该模型旁。",
)
PAIRED_NOTE = Text(
    "First less second on their common days: RankIC at {h} trading days over {universe}, what "
    "the styles of {set} and industries leave of it, and the weekly top group. A difference "
    "below the seeds' spread says nothing of the models.",
    "前者减后者，取共同日期：{universe}上{h}个交易日的秩相关IC、剥离{set}风格与行业后的秩相关IC，"
    "以及周频多头组。低于种子间离散程度的差异不说明模型优劣。",
)


def section(content: RunContent, make: Maker) -> Section:
    """Headline tables, the two lead figures and what was run."""
    title = Text("Summary", "摘要")
    tables = make.all(
        (verdict, content), (headline_factor, content), (headline_portfolio, content), (headline_paired, content)
    )
    lead = make.all((cumulative_rank_ic, content, content.lead), (excess_overview, content))
    facts = Facts(make.many(ran, content))
    blocks = (Framed("headline", (Tables(tables),)), Charts(lead), Heading(Text("What was run", "本次运行")), facts)
    return Section(title, blocks, link=title, open=True)


def headline_factor(content: RunContent) -> Table | None:
    """One row an arm over all stocks, and the oracle's where the market is simulated."""
    columns = ["arm", "rank_ic_10", "rank_ic_20", "icir_10", "win_rate_10", "top_excess"]
    groups = [g for arm in content.arms if (g := arm.group(content.lead)) is not None]
    by_cap = any(group.get("also") for group in groups)
    columns += ["top_excess_cap"] if by_cap else []
    rows = [_headline_row(content, arm, by_cap=by_cap) for arm in content.arms]
    against = dict.fromkeys(words().universe(group["benchmark"]) for group in groups)
    note = FACTOR_NOTE.filled(universe=words().universe(content.lead), clock=content.main)
    if against:
        note = together([note, EXCESS_NOTE.filled(benchmark=joined(", ", against))])
    muted = frozenset[int]()
    if content.oracle is not None:
        rows.append(_oracle_row(content, content.oracle, 4 if by_cap else 3))
        columns += ["oracle_correlation", "visible_correlation"]
        note, muted = together([note, OF_ORACLE]), frozenset({len(rows) - 1})
    return make("headline_factor", Text("Factor", "因子"), columns, rows, note, muted)


def _headline_row(content: RunContent, arm: ArmContent, *, by_cap: bool) -> tuple[Cell, ...]:
    """An arm's numbers; the excess as the study's chart 13 has it, printed beside what is weighted like an index."""
    ref, oracle = reference(arm.published), content.oracle
    ten, twenty = (arm.record(content.lead, h, content.main) for h in HEADLINE_HORIZONS)
    group, excess = arm.group(content.lead), "annual_excess_difference"
    weighted = group is not None and group["benchmark"] != "equal_weight"
    cells: tuple[Cell, ...] = (
        *label_cells(arm.name),
        ic_cell(ten, "mean", "ic", ref),
        ic_cell(twenty, "mean", "ic", ref),
        ic_cell(ten, "icir", "ratio", ref),
        ic_cell(ten, "win_rate", "share", ref),
        top_cell(group, None if group is None else group["top"], excess, "signed_percent", ref if weighted else None),
    )
    if by_cap:
        also = None if group is None else (group.get("also") or {}).get("cap_weight")
        cells = (*cells, top_cell(group, also, excess, "signed_percent", ref))
    if oracle is None:
        return cells
    agreements = (oracle["correlation"], oracle.get("visible_correlation"))
    return (*cells, *(value_cell(one, arm.name, "ic") for one in agreements))


def _oracle_row(content: RunContent, oracle: OracleFile, without: int) -> tuple[Cell, ...]:
    records = oracle["records"]
    ten, twenty = (pick(records, content.lead, h, content.main) for h in HEADLINE_HORIZONS)
    nothing = Cell(None, "ratio", missing=NOT_RUN)
    return (
        *label_cells(ORACLE),
        ic_cell(ten, "mean", "ic"),
        ic_cell(twenty, "mean", "ic"),
        ic_cell(ten, "icir", "ratio"),
        ic_cell(ten, "win_rate", "share"),
        *[nothing] * without,
    )


_HEADLINE = (
    ("excess", "signed_percent"),
    ("excess_total_return", "signed_percent"),
    ("excess_replica", "signed_percent"),
    ("tracking_error", "percent"),
    ("information_ratio", "ratio"),
    ("excess_max_drawdown", "percent"),
    ("turnover", "share"),
)


def headline_portfolio(content: RunContent) -> Table | None:
    """One row a portfolio; an arm without one has none."""
    shown = known(_HEADLINE, [p.summary["all"] for p in content.portfolios])
    banded = any(p.placebo is not None for p in content.portfolios)
    seeded = any(p.seeds is not None for p in content.portfolios)
    rows = []
    for p in content.portfolios:
        numbers = (value_cell(p.summary["all"], key, style, printed(content, p, key)) for key, style in shown)
        labels = label_cells(p.arm, words().universe(p.index), p.named)
        luck = None if p.placebo is None else p.placebo["excess"]
        bounds = [value_cell(luck, key, "signed_percent") for key in ("low", "high")] if banded else []
        seeds = (value_cell(p.seeds, "mean", "signed_percent"), value_cell(p.seeds, "std", "percent"))
        rows.append((*labels, *numbers, *bounds, *(seeds if seeded else ()), Cell(p.relaxations.height, "count")))
    beside = ["placebo_low", "placebo_high"] if banded else []
    beside += ["seed_excess_mean", "seed_excess_std"] if seeded else []
    columns = ("arm", "index", "constraints", *(key for key, _ in shown), *beside, "relaxed")
    note = together([PORTFOLIO_NOTE, definitions_by_set(content.portfolios)])
    if any(cell.published is not None for row in rows for cell in row) and _of_study_b(content):
        note = together([note, OF_STUDY_B])
    return make("headline_portfolio", Text("Enhanced index, after cost", "指数增强（费后）"), columns, rows, note)


def _of_study_b(content: RunContent) -> bool:
    references = (reference_of(content, p) for p in content.portfolios)
    return any(ref is not None and ref.study == "study_b" for ref in references)


def headline_paired(content: RunContent) -> Table | None:
    """One row a pair, in the first page's universe at 10 days: RankIC, what styles leave of it, the top group."""
    horizon, chosen = HEADLINE_HORIZONS[0], residual_set(content)
    rows = [
        (*label_cells(pair(entry)), *_paired_cells(content, entry, horizon, chosen))
        for entry in entries(content, "rank_ic", universe=content.lead, horizon=horizon)
    ]
    columns = ("pair", "difference", "standard_error", "paired_t", "seed_std_first", "seed_std_second",
               "residual_difference", "residual_t", "top_difference", "top_t")  # fmt: skip
    note = PAIRED_NOTE.filled(universe=words().universe(content.lead), h=horizon, set=words().term(chosen or "–"))
    return make("headline_paired", Text("Each arm beside each other one", "模型两两比较"), columns, rows, note)


def _paired_cells(content: RunContent, entry: PairedEntry, horizon: int, chosen: str | None) -> tuple[Cell, ...]:
    same = {"first": entry["first"], "second": entry["second"], "universe": entry["universe"]}
    residual = next(entries(content, "residual_rank_ic", **same, horizon=horizon, set=chosen), None)
    top = next(entries(content, "top_excess", **same), None)
    return (
        value_cell(entry, "difference", "signed_ic"),
        value_cell(entry, "standard_error", "ic"),
        value_cell(entry, "t_newey_west", "ratio"),
        value_cell(entry, "seed_std_first", "ic"),
        value_cell(entry, "seed_std_second", "ic"),
        value_cell(residual, "difference", "signed_ic"),
        value_cell(residual, "t_newey_west", "ratio"),
        value_cell(top, "difference", "signed_percent"),
        value_cell(top, "t_newey_west", "ratio"),
    )


def excess_overview(content: RunContent) -> Figure | None:
    """Excess NAV of every portfolio: an arm's colour is that of the other figures, indices differ by the dash."""
    sets = list(dict.fromkeys((p.index, p.named) for p in content.portfolios))
    traces = []
    for p in content.portfolios:
        label = joined(" · ", [p.arm, words().universe(p.index)])
        dash = DASHES[sets.index((p.index, p.named)) % len(DASHES)]
        traces.append(line(label, days(p.nav), p.nav["excess_nav"], ink(content, p), dash=dash))
    look = layout(x="date", y_title=AFTER_COST, y_format=".2f")
    return figure("excess_overview", Text("Excess over the index, after cost", "相对指数的费后超额净值"), traces, look)


def ran(content: RunContent) -> list[Fact]:
    """What was run on which data, in a few lines."""
    names = ", ".join(arm.name for arm in content.arms)
    facts: list[Fact] = [
        (
            Text("Models", "模型"),
            Text("{n} arms: {names}", "{n}个模型：{names}").filled(n=len(content.arms), names=names),
        )
    ]
    facts += _of_market(content.environment["market"])
    spans = dict.fromkeys(tuple(a.factor_report["span"]) for a in content.arms if a.factor_report.get("span"))
    facts += [(Text("Test span", "测试区间"), joined(" · ", map(span, spans)))] if spans else []
    cards = [arm.model_card for arm in content.arms if arm.model_card]
    for key in ("inputs", "label", "loss", "seeds"):
        given = dict.fromkeys(sentence(said) for card in cards if (said := card.get(key)) not in (None, {}, []))
        facts += [(heading(key), joined(" | ", given))] if given else []
    sets = dict.fromkeys((p.index, p.named) for p in content.portfolios)
    enhanced = [joined(" · ", [words().universe(index), constraints]) for index, constraints in sets]
    return [*facts, *([(Text("Enhanced index", "指数增强"), joined(", ", enhanced))] if enhanced else [])]


def _of_market(market: MarketRecord) -> list[Fact]:
    source, ends = words().name(market.get("source", "–")), market.get("span")
    facts: list[Fact] = [(Text("Data", "数据"), joined(", ", [source, span(ends)]) if ends else source)]
    if market.get("stocks") and market.get("days"):
        sizes = {"stocks": number(market["stocks"], "count"), "days": number(market["days"], "count")}
        facts.append(
            (
                Text("Market", "市场"),
                Text("{stocks} stocks, {days} trading days", "{stocks}只股票，{days}个交易日").filled(**sizes),
            )
        )
    return facts
