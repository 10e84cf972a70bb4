"""What drives the differences from the published study: protocol, years, seeds, size, styles, portfolios.

For runs with an arm whose numbers a study prints. It adds nothing to the run's results but differences and ratios of
numbers that stand elsewhere on the page, and sentences that say what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepfactor.core.words import Text, joined, together
from deepfactor.report.content import RunContent
from deepfactor.report.content.beside import (
    compared,
    gap,
    headline_record,
    part_a_year,
    relaxed_share,
    residual,
    same_years,
    seeds_of,
    share_of_all,
    spans_of,
    standard_error,
    study_of,
    year_range,
    years_error,
)
from deepfactor.report.content.reading import HEADLINE_HORIZONS, against, years_of
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Said, Section, Sentences, Tables
from deepfactor.report.press.facts import span
from deepfactor.report.press.formats import MISSING
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections._cells import ALL_YEARS, ic_cell, year_cell
from deepfactor.report.sections._definitions import definitions_by_set
from deepfactor.report.sections._drivers_said import ONE_SEED, sentences, strongest, study_name
from deepfactor.report.sections._portfolios import printed
from deepfactor.report.sections._weights import weights_said

ORDER = 50

INTRO = Text(
    "Ours beside the study's, taken apart: what was done differently, and how far error, years, "
    "seeds, size and styles reach. Nothing here was tuned on test years.",
    "将本次结果与研报的差异逐项拆解：做法有何不同，误差、年份、种子、市值与风格各能解释多少。"
    "任何选择均未依据测试年份调整。",
)
SIMULATED = Text(
    "The market is simulated: its years, sizes and levels are not those of the study, and no "
    "difference from the study's numbers means anything.",
    "本市场为模拟市场：其年份、规模与收益水平均与研报无关，与研报数字的差异没有意义。",
)
GAP_NOTE = Text(
    "All stocks. What could move our number: its standard error, the year, the seed, names that can't be bought.",
    "全市场。可能影响本次数值的因素：标准误、年份、种子、无法买入的股票。",
)
PORTFOLIOS_NOTE = Text(
    "A year. The parts are log returns against the replica, the index as the optimiser saw it "
    "with dividends; the excess over the price index also holds what the replica itself made "
    "against that index.",
    "每年。分解部分为相对复制指数（优化器所见指数，含股息）的对数收益；"
    "相对价格指数的超额还包含复制指数自身相对该指数的收益。",
)
SAME_YEARS_NOTE = Text(
    "The study prints its top groups' excess by year inside the indices, so that here years can "
    "be taken out. In grey: the study's.",
    "研报给出了各指数内多头组的分年度超额，因此可剔除年份影响。灰色为研报数值。",
)
SIZE_NOTE = Text(
    "A share below the study's: the score loses more than the study's among large stocks.",
    "比例低于研报：得分在大市值股票中的损失大于研报。",
)
STYLES_NOTE = Text(
    "All stocks. After a daily regression on the set's styles and industries; the studies print no such number.",
    "全市场。逐日对该体系风格与行业回归之后；研报未给出此数值。",
)
YEARS_NOTE = Text(
    "The study prints no RankIC by year: in grey, under All, that of its whole span.",
    "研报未给出分年度秩相关IC：“全部”列灰色为其全区间数值。",
)

#: Of a figure computed from the study's printed numbers, which have four at most.
_DIGITS = 6


def section(content: RunContent, make: Maker) -> Section | None:
    """Sentences first, then the tables that they rest on; None where no study prints numbers for any arm."""
    return make.one(drivers, content)


def drivers(content: RunContent) -> Section | None:
    """All of it or nothing. A simulated market's years and sizes are nobody's, so there only what was done and what the
    numbers are made of is shown."""
    if not any(arm.published for arm in content.arms):
        return None
    made = (protocol, styles, portfolios) if content.simulated else ON_REAL_DATA
    tables = tuple(table for make_one in made if (table := make_one(content)) is not None)
    said = (SIMULATED,) if content.simulated else tuple(sentences(content))
    blocks = (Said(INTRO), Sentences(said, "drivers", "plain said"), Tables(tables))
    return Section(Text("What drives the differences", "差异来源"), blocks, link=Text("Differences", "差异来源"))


def protocol(content: RunContent) -> Table | None:
    """What was done here, and what the study says that it did."""
    plan, fit = content.recipe.get("plan"), content.recipe.get("fit")
    if not plan or not fit:
        return None
    study = study_of(content)
    stated, index = study.get("protocol", {}), study.get("protocol", {}).get("index_of_all")
    window = Text("{train} years and {valid} year(s)", "{train}年与{valid}年").filled(
        train=plan["train_years"], valid=plan["valid_years"]
    )
    given: list[tuple[Text, Any, Any]] = [
        (Text("Test span", "测试区间"), _spans(spans_of(content)), _spans([tuple(study["span"])])),
        (
            Text("Retrained every … years", "重新训练间隔（年）"),
            plan["test_years"],
            stated.get("retrained_every_years"),
        ),
        (Text("Training and validation", "训练与验证"), window, None),
        (Text("Seeds", "随机种子"), _seeds(content), _list(stated.get("seeds"))),
        (Text("Training days: one in …", "训练日：每…日取一日"), plan["every"], None),
        (Text("Epochs at most", "最多轮数"), fit["epochs"], None),
        (Text("Patience, epochs", "早停耐心（轮）"), fit["patience"], stated.get("patience")),
        (Text("Learning rate", "学习率"), fit["lr"], stated.get("lr")),
        (
            Text("Benchmark of the top group over all stocks", "全市场多头组的基准"),
            _benchmarks(content),
            None if index is None else words().universe(index),
        ),
        (Text("Index weights", "指数权重"), _weights(content), None),
        (Text("Capitalisation", "市值口径"), words().term(content.environment["market"].get("cap", MISSING)), None),
    ]
    not_stated = Text("not stated", "未说明")
    rows = [
        label_cells(what, MISSING if ours is None else ours, not_stated if theirs is None else theirs)
        for what, ours, theirs in given
    ]
    columns = ("what", head("ours", Text("Here", "本次")), head("study", study_name(content)))
    return make("drivers_protocol", Text("Protocol", "实验设定"), columns, rows)


def _spans(spans: Sequence[Sequence[Any]]) -> Text | None:
    return joined(" · ", map(span, spans)) if spans else None


def _list(values: Sequence[Any] | None) -> str | None:
    return None if values is None else ", ".join(map(str, values))


def _seeds(content: RunContent) -> str:
    """Seeds of the compared arms, arms of the same seeds together."""
    groups: dict[str, list[str]] = {}
    for arm, _ in compared(content):
        groups.setdefault(_list(arm.model_card.get("seeds")) or MISSING, []).append(arm.name)
    return "; ".join(f"{seeds} ({', '.join(names)})" for seeds, names in groups.items())


def _benchmarks(content: RunContent) -> Text | None:
    groups = [group for arm, _ in compared(content) if (group := arm.group("all")) is not None]
    benchmarks = dict.fromkeys(benchmark for group in groups for benchmark, _ in against(group))
    return joined(", ", [words().universe(code) for code in benchmarks]) if benchmarks else None


def _weights(content: RunContent) -> Text | None:
    weights = dict.fromkeys(said for p in content.portfolios if (said := weights_said(p.summary)) is not None)
    return joined(", ", weights) if weights else None


def gaps(content: RunContent) -> Table | None:
    """Arm × horizon: RankIC beside the published one, and how far error, years, seeds and untradeable names reach."""
    rows = []
    for arm, ref in compared(content):
        for horizon in HEADLINE_HORIZONS:
            record = arm.record(content.lead, horizon, content.main)
            published = ref.rank_ic("mean", content.lead, horizon, content.main)
            if record is None or published is None:
                continue
            free = arm.record(content.lead, horizon, content.main, names="tradeable")
            spread = seeds_of(arm, record)
            cells = (
                Cell(horizon, "count"),
                ic_cell(record, "mean", "ic", ref),
                Cell(gap(record, published), "signed_ic"),
                Cell(standard_error(record), "ic"),
                Cell(years_error(content, arm, record), "ic"),
                *(Cell(value, "ic") for value in year_range(record)),
                Cell(None if spread is None else spread["std"], "ic", missing=ONE_SEED),
                ic_cell(free, "mean", "ic"),
            )
            rows.append((*label_cells(arm.name), *cells))
    columns = ("arm", "horizon", "rank_ic", "gap", "standard_error", "years_error", "lowest_year", "highest_year",
               "seed_std", "tradeable_rank_ic")  # fmt: skip
    return make("drivers_gap", Text("RankIC beside the study's", "秩相关IC与研报对照"), columns, rows, GAP_NOTE)


def years(content: RunContent) -> Table | None:
    """RankIC of each of our years beside the study's over its whole span: no study prints RankIC by year."""
    picked = [(a, ref, record) for a, ref in compared(content) if (record := headline_record(content, a)) is not None]
    all_years = years_of(record for _, _, record in picked)
    rows = []
    for arm, ref, record in picked:
        cells = (year_cell(record.get("by_year", {}), year, "mean", "ic") for year in all_years)
        rows.append((*label_cells(arm.name), *cells, ic_cell(record, "mean", "ic", ref)))
    columns: list[str | Metric] = ["arm", *map(head, all_years), head(ALL_YEARS)]
    title = Text(
        "RankIC by year beside the study's whole span, {h} trading days",
        "分年度秩相关IC与研报全区间对照（{h}个交易日）",
    ).filled(h=HEADLINE_HORIZONS[0])
    return make("drivers_years", title, columns, rows, YEARS_NOTE) if all_years else None


def sizes(content: RunContent) -> Table | None:
    """Universe × arm: RankIC beside the study's, and as a share of that over all stocks."""
    horizon, rows = HEADLINE_HORIZONS[0], []
    for universe in content.universes():
        for arm, ref in compared(content):
            record = headline_record(content, arm, universe)
            published, shares = (
                ref.rank_ic("mean", universe, horizon, content.main),
                share_of_all(content, arm, ref, universe),
            )
            if record is None or published is None or shares is None:
                continue
            cells = (
                ic_cell(record, "mean", "ic", ref),
                Cell(gap(record, published), "signed_ic"),
                Cell(years_error(content, arm, record), "ic"),
                Cell(shares[0], "share", round(shares[1], _DIGITS)),
            )
            rows.append((*label_cells(words().universe(universe), arm.name), *cells))
    columns = ("universe", "arm", "rank_ic", "gap", "years_error", "share_of_all")
    return make(
        "drivers_size",
        Text("Size: RankIC inside the indices, {h} trading days", "市值：指数成分内的秩相关IC（{h}个交易日）").filled(
            h=horizon
        ),
        columns,
        rows,
        SIZE_NOTE,
    )


def top_years(content: RunContent) -> Table | None:
    """Universe × arm: the top group's excess over the years that both have, and over all of the study's."""
    rows = []
    for universe in content.universes():
        for arm, ref in compared(content):
            if (both := same_years(arm, ref, universe)) is None:
                continue
            cells = (
                Cell(len(both.years), "count"),
                Cell(both.ours, "signed_percent", round(both.theirs, _DIGITS)),
                Cell(both.ours - both.theirs, "signed_percent"),
                Cell(both.theirs_all, "signed_percent"),
                Cell(both.theirs - both.theirs_all, "signed_percent"),
            )
            rows.append((*label_cells(words().universe(universe), arm.name), *cells))
    columns = ("universe", "arm", "common_years", "common_excess", "common_gap", "study_all_years", "years_part")
    return make(
        "drivers_same_years",
        Text("The top group in the years that both have", "共同年份的多头组"),
        columns,
        rows,
        SAME_YEARS_NOTE,
    )


def styles(content: RunContent) -> Table | None:
    """Every arm: what each style set leaves of its RankIC, and the styles that its score leans on most."""
    rows = []
    sets = list(dict.fromkeys(e["set"] for arm in content.arms for e in arm.factor_report.get("residual_ic") or ()))
    for arm in content.arms if sets else ():
        residuals = (residual(content, arm, name) for name in sets)
        left = (value_cell(None if entry is None else entry["rank_ic"], "mean", "ic") for entry in residuals)
        raw = ic_cell(headline_record(content, arm), "mean", "ic")
        rows.append((*label_cells(arm.name), raw, *left, *label_cells(strongest(content, arm))))
    heads = [head(name, Text("After {set}", "剥离{set}后").filled(set=words().term(name))) for name in sets]
    title = Text(
        "Styles: what is left of the RankIC, {h} trading days", "风格：剥离后剩余的秩相关IC（{h}个交易日）"
    ).filled(h=HEADLINE_HORIZONS[0])
    columns: list[str | Metric] = ["arm", "rank_ic", *heads, "strongest_styles"]
    return make("drivers_styles", title, columns, rows, STYLES_NOTE)


_PARTS = ("styles", "industries", "selection", "cost", "cash_and_rounding")


def portfolios(content: RunContent) -> Table | None:
    """Arm × index: the excess, what of it is over the replica, where that comes from, how often bounds gave way."""
    rows = []
    for p in content.portfolios:
        whole = p.summary["all"]
        cells = (
            value_cell(whole, "excess", "signed_percent", printed(content, p, "excess")),
            value_cell(whole, "excess_replica", "signed_percent"),
            *(Cell(part_a_year(p, key), "signed_percent") for key in _PARTS),
            value_cell(whole, "tracking_error", "percent", printed(content, p, "tracking_error")),
            value_cell(whole, "turnover", "share", printed(content, p, "turnover")),
            Cell(relaxed_share(p), "share"),
        )
        rows.append((*label_cells(p.arm, words().universe(p.index)), *cells))
    columns = ("arm", "index", "excess", "excess_replica", "styles_part", "industries_part", "selection_part",
               "cost_part", "cash_part", "tracking_error", "turnover", "relaxed_share")  # fmt: skip
    note = together([PORTFOLIOS_NOTE, definitions_by_set(content.portfolios)])
    return make(
        "drivers_portfolios",
        Text("Enhanced portfolios: where the excess comes from", "指数增强：超额来源"),
        columns,
        rows,
        note,
    )


ON_REAL_DATA = (protocol, gaps, years, top_years, sizes, styles, portfolios)
