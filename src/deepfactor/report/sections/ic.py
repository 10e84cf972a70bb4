"""Information coefficients: by universe, year, horizon and clock, of seeds, after styles, of pairs of arms."""

from __future__ import annotations

from deepfactor.core.words import Text, joined
from deepfactor.report.content import RunContent
from deepfactor.report.content.published import reference
from deepfactor.report.content.reading import HEADLINE_HORIZONS, years_of
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import ALL, LONG, Block, Charts, Said, Section, Tables
from deepfactor.report.press.drawing import Figure, colour, figure, layout, line
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections import _ic_time as time
from deepfactor.report.sections._cells import ALL_YEARS, ic_cell, year_cell
from deepfactor.report.sections._cumulative import cumulative_rank_ic, in_universe
from deepfactor.report.sections._ic_parts import part_bars, rank_ic_by_part
from deepfactor.report.sections._paired import paired

ORDER = 60

CUMULATIVE_NOTE = Text(
    "Running sum of the daily RankIC: a steady slope is a steady factor.", "每日秩相关IC的累加：斜率稳定则因子稳定。"
)
DECAY_NOTE = Text(
    "The score of day t against returns of 1 to 20 days: where a factor's information lies in time.",
    "t日得分对未来1至20日收益：因子信息在时间上的分布。",
)
LEGS_NOTE = Text(
    "Means over dates, a period of the horizon's length, not annualised. No share where neither "
    "leg can be told from noise (|t| < 2).",
    "各日均值，每期长度为预测区间，未年化。两端均与噪声无异（|t| < 2）时不给出占比。",
)
RESIDUAL_NOTE = Text(
    "What the score knows beyond styles and industries, beside its RankIC over the same names "
    "and dates. A missing exposure is filled in, not the name left out.",
    "得分在风格与行业之外的信息，旁列其在相同股票与日期上的秩相关IC。缺失的暴露予以补齐，不剔除股票。",
)
SEEDS_NOTE = Text(
    "The first page's universe and clock, 10 trading days. The ensemble should not hang on one seed.",
    "首页所用股票池与收益口径，10个交易日。集成结果不应依赖于某一个种子。",
)


def section(content: RunContent, make: Maker) -> Section | None:
    """Tables of all tests, those of pairs folded in, and figures of the universes that the summary doesn't show."""
    others = [u for u in content.universes() if u != content.lead]
    each = ((cumulative_rank_ic, content, u) for u in others)
    one_each = (ic_by_year, clocks, decay, long_leg, residual_ic, seeds, seed_spread)
    tables = (*make.many(ic_tables, content), *make.all(*((work, content) for work in one_each)))
    tables += make.all((rank_ic_by_part, content))
    more = make.many(paired, content)
    figures = (time.rolling_rank_ic, time.histogram, decay_figure, part_bars)
    over = make.all(*((work, content) for work in figures))
    drawn = (*over, *make.many(time.months, content), *make.all(*each))
    if not tables:
        return None
    lead: tuple[Block, ...] = (Said(CUMULATIVE_NOTE), Charts(drawn)) if drawn else ()
    return Section(
        Text("Information coefficient", "信息系数"),
        (*lead, Tables(tables, folds=LONG), Tables(more, folds=ALL)),
        link=Text("IC", "IC"),
    )


def ic_tables(content: RunContent) -> list[Table]:
    """A table a headline horizon: universe × arm under the main convention."""
    return [t for h in HEADLINE_HORIZONS if h in content.horizons() and (t := _ic_table(content, h)) is not None]


def _ic_table(content: RunContent, horizon: int) -> Table | None:
    columns = ("universe", "arm", "rank_ic", "icir", "win_rate", "t_newey_west", "std", "ic", "n", "sampling")
    rows = []
    for universe in content.universes():
        for arm in content.arms:
            record, ref = arm.record(universe, horizon, content.main), reference(arm.published)
            if record is None:
                continue
            rows.append(
                (
                    *label_cells(words().universe(universe), arm.name),
                    ic_cell(record, "mean", "ic", ref),
                    ic_cell(record, "icir", "ratio", ref),
                    ic_cell(record, "win_rate", "share", ref),
                    ic_cell(record, "t_newey_west", "ratio"),
                    ic_cell(record, "std", "ic"),
                    value_cell(record["ic"], "mean", "ic"),
                    ic_cell(record, "n", "count"),
                    *label_cells(words().term(record.get("sampling", ""))),
                )
            )
    return make(
        f"ic_{horizon}d", Text("RankIC at {h} trading days", "秩相关IC（{h}个交易日）").filled(h=horizon), columns, rows
    )


def ic_by_year(content: RunContent, horizon: int = HEADLINE_HORIZONS[0]) -> Table | None:
    """Mean RankIC a year: universe × arm by year."""
    picked = [
        (arm, universe, record)
        for universe in content.universes()
        for arm in content.arms
        if (record := arm.record(universe, horizon, content.main)) is not None
    ]
    years = years_of(record for _, _, record in picked)
    rows = [
        (
            *label_cells(words().universe(universe), arm.name),
            *(year_cell(record.get("by_year", {}), year, "mean", "ic") for year in years),
            ic_cell(record, "mean", "ic", reference(arm.published)),
        )
        for arm, universe, record in picked
    ]
    columns: list[str | Metric] = ["universe", "arm", *map(head, years), head(ALL_YEARS)]
    return (
        make(
            "ic_by_year",
            Text("RankIC by year, {h} trading days", "分年度秩相关IC（{h}个交易日）").filled(h=horizon),
            columns,
            rows,
        )
        if years
        else None
    )


def clocks(content: RunContent) -> Table | None:
    """Mean RankIC over all stocks: arm × convention × names by horizon."""
    horizons, rows = content.horizons(), []
    for arm in content.arms:
        ref = reference(arm.published)
        for convention in content.conventions():
            for names in ("all", "tradeable"):
                records = [arm.record(content.lead, h, convention, names=names) for h in horizons]
                if any(r is not None for r in records):
                    cells = [ic_cell(r, "mean", "ic", ref if names == "all" else None) for r in records]
                    rows.append((*label_cells(arm.name, convention, words().term(names)), *cells))
    columns: list[str | Metric] = ["arm", "convention", "names", *(head(f"{h}d") for h in horizons)]
    return make(
        "clocks",
        Text("RankIC by horizon and clock", "不同预测区间与收益口径的秩相关IC"),
        columns,
        rows,
        Text(
            "The first page's universe. Columns are horizons in trading days.",
            "首页所用股票池；列为预测区间（交易日）。",
        ),
    )


def seeds(content: RunContent, horizon: int = HEADLINE_HORIZONS[0]) -> Table | None:
    """RankIC of each seed and of their ensemble."""
    rows = []
    for arm in content.arms:
        given = sorted({seed for record in arm.records if (seed := record.get("seed")) is not None})
        for seed in [*given, None] if given else ():
            record = arm.record(content.lead, horizon, content.main, seed=seed)
            numbers = (ic_cell(record, k, s) for k, s in (("mean", "ic"), ("icir", "ratio"), ("win_rate", "share")))
            rows.append((*label_cells(arm.name, Text("ensemble", "集成") if seed is None else seed), *numbers))
    columns = ("arm", "seed", "rank_ic", "icir", "win_rate")
    return make("seeds", Text("Spread over seeds", "各随机种子的结果"), columns, rows, SEEDS_NOTE)


def decay(content: RunContent) -> Table | None:
    """RankIC at chosen horizons of 1 to 20 days: arm × names by horizon."""
    rows, horizons = [], (1, 2, 3, 5, 10, 15, 20)
    for arm in content.arms:
        for names in ("all", "tradeable"):
            wanted = {"universe": content.lead, "convention": content.main, "names": names}
            by_horizon = {r["horizon"]: r for r in arm.factor_report.get("decay") or () if wanted.items() <= r.items()}
            if by_horizon:
                cells = (value_cell(by_horizon.get(h), "rank_ic", "ic") for h in horizons)
                rows.append((*label_cells(arm.name, words().term(names)), *cells))
    columns: list[str | Metric] = ["arm", "names", *(head(f"{h}d") for h in horizons)]
    return make("decay_table", Text("Decay of the RankIC", "秩相关IC衰减"), columns, rows, DECAY_NOTE)


def decay_figure(content: RunContent) -> Figure | None:
    """RankIC at each horizon of 1 to 20 days: a colour an arm, tradeable names dashed."""
    traces = []
    for k, arm in enumerate(content.arms):
        for names, dash in (("all", "solid"), ("tradeable", "dot")):
            wanted = {"universe": content.lead, "convention": content.main, "names": names}
            records = [r for r in arm.factor_report.get("decay") or () if wanted.items() <= r.items()]
            records.sort(key=lambda r: r["horizon"])
            if records:
                label = arm.name if names == "all" else joined(", ", [arm.name, words().term(names)])
                heights = [r["rank_ic"] for r in records]
                traces.append(line(label, [r["horizon"] for r in records], heights, colour(k), dash=dash))
    look = layout(
        x="plain", y_title="RankIC", y_format=".3f", x_title=Text("horizon, trading days", "预测区间（交易日）")
    )
    return figure("decay", in_universe(Text("RankIC by horizon", "不同预测区间的秩相关IC"), content.lead), traces, look)


def long_leg(content: RunContent) -> Table | None:
    """Excess of the long and the short leg, and the long leg's share: arm × universe × horizon."""
    rows = []
    for arm in content.arms:
        for entry in arm.factor_report.get("long_leg") or ():
            if entry["convention"] != content.main:
                continue
            numbers = (
                value_cell(entry, "long_excess", "signed_percent"),
                value_cell(entry, "short_excess", "signed_percent"),
                value_cell(entry, "long_share", "share"),
            )
            labels = label_cells(arm.name, words().universe(entry["universe"]))
            rows.append((*labels, Cell(entry["horizon"], "count"), *numbers))
    columns = ("arm", "universe", "horizon", "long_excess", "short_excess", "long_share")
    return make("long_leg", Text("Long and short leg", "多头与空头"), columns, rows, LEGS_NOTE)


def residual_ic(content: RunContent) -> Table | None:
    """RankIC after a regression on styles and industries, main clock: arm × style set × universe × horizon."""
    styles = (("mean", "ic"), ("icir", "ratio"), ("win_rate", "share"), ("t_newey_west", "ratio"), ("n", "count"))
    rows = []
    for arm in content.arms:
        for entry in arm.factor_report.get("residual_ic") or ():
            if entry["convention"] != content.main:
                continue
            labels = label_cells(arm.name, words().term(entry["set"]), words().universe(entry["universe"]))
            # A run of before regressed fewer names than its RankIC is over: no raw one stands beside it.
            beside = (
                value_cell(entry, "names", "count"),
                value_cell(entry, "filled", "share"),
                value_cell(entry.get("raw_rank_ic"), "mean", "ic"),
            )
            numbers = (value_cell(entry["rank_ic"], key, style) for key, style in styles)
            rows.append((*labels, Cell(entry["horizon"], "count"), *beside, *numbers))
    columns = ("arm", "style_set", "universe", "horizon", "names_a_day", "filled", "same_names_rank_ic",
               "residual_rank_ic", "icir", "win_rate", "t_newey_west", "n")  # fmt: skip
    return make(
        "residual_ic",
        Text("RankIC after styles and industries", "剥离风格与行业后的秩相关IC"),
        columns,
        rows,
        RESIDUAL_NOTE,
    )


def seed_spread(content: RunContent) -> Table | None:
    """How far the seeds' mean RankIC lie apart: arm × universe × horizon, daily, all names."""
    rows = []
    for arm in content.arms:
        for entry in arm.factor_report.get("seed_spread") or ():
            if (entry["convention"], entry["sampling"], entry["names"]) != (content.main, "daily", "all"):
                continue
            labels = label_cells(arm.name, words().universe(entry["universe"]))
            numbers = (value_cell(entry, key, "ic") for key in ("mean", "std", "min", "max"))
            seeds = value_cell(entry, "n_seeds", "count")
            rows.append((*labels, Cell(entry["horizon"], "count"), *numbers, seeds))
    columns = ("arm", "universe", "horizon", "rank_ic", "seed_std", "lowest", "highest", "n_seeds")
    return make("seed_spread", Text("Spread of the seeds' RankIC", "种子间秩相关IC的离散程度"), columns, rows)
