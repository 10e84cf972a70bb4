"""What drives the differences, in sentences: a number of the run, the study's, and what the two allow to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from deepfactor.core.words import Text, joined, together
from deepfactor.evaluation.records import ICRecord
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
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
    strongest_styles,
    study_of,
    year_range,
    years_error,
)
from deepfactor.report.content.published import Reference, studies
from deepfactor.report.content.reading import HEADLINE_HORIZONS, residual_set
from deepfactor.report.press.facts import span
from deepfactor.report.press.formats import MISSING, number
from deepfactor.report.press.words import words
from deepfactor.report.sections._weights import weights_said

PROTOCOL = Text(
    "The run tests {ours} with {seeds} seed(s), one training day in {every} and at most {epochs} "
    "epochs; {study} tests {theirs}, and states neither its training days nor its epochs.",
    "本次测试区间为{ours}，{seeds}个种子，每{every}个交易日取一个训练日，最多{epochs}轮；"
    "{study}测试区间为{theirs}，未说明训练日抽样与轮数。",
)
GAP = Text(
    "{arm}: RankIC {ours} beside the study's {published}, a difference of {gap}. The standard "
    "error of our mean is {error}, and our years lie between {low} and {high}.",
    "{arm}：秩相关IC为{ours}，研报为{published}，相差{gap}。本次均值的标准误为{error}，各年介于{low}与{high}之间。",
)
ONE_SEED = Text("There is one seed: what its luck is worth is not known.", "只有一个种子：偶然性大小未知。")
SEEDS = Text("The means of its {n} seeds have a standard deviation of {std}.", "其{n}个种子的均值之标准差为{std}。")
SIZE = Text(
    "{arm}: farthest from the study by size is {universe}, where its RankIC is {ours} of that "
    "over all stocks, the study's {theirs}.",
    "{arm}：按市值看与研报差距最大的是{universe}，其秩相关IC为全市场的{ours}，研报为{theirs}。",
)
STYLES = Text(
    "{arm}: of a RankIC of {raw}, {left} is left after the styles of {set} and industries; its "
    "score leans most on {styles}.",
    "{arm}：秩相关IC {raw}中，剥离{set}风格与行业后剩余{left}；得分最偏向的风格为{styles}。",
)
BENCHMARK = Text(
    "The market has no level of {index}, which the study measures its top group over all stocks "
    "against. Ours stands against their equal weight, which can't be compared, and against a "
    "cap-weighted universe derived from market values, which is nearer to that index but has its "
    "dividends in it.",
    "市场数据没有{index}点位，而研报的全市场多头组以该指数为基准。"
    "本次列出相对等权（不可比）与相对市值加权（由市值推导，较接近该指数，但含分红）的超额。",
)
REPLICA = Text(
    "The replica that the optimiser saw earns dividends and has weights of its own: it made {x} "
    "a year against the published price index, with a tracking error of {y}. That much of the "
    "excess over the price index is the replica's, not the portfolio's.",
    "优化器所见的复制指数含股息，权重也与发布方有差异：相对公布的价格指数每年{x}，跟踪误差{y}。"
    "相对价格指数的超额中，这一部分属于复制指数，而非组合本身。",
)
PARTS = Text(
    "Against the replica, styles made {x} a year of the enhanced portfolios' return, selection {y}.",
    "相对复制指数，增强组合收益中风格每年贡献{x}，选股贡献{y}。",
)
RELAXED = Text(
    "Some bound was not kept at {x} of the rebalances, at {y} of them because the constraints "
    "had no solution, at the others because names could not be traded; the study does not say "
    "how often its own did.",
    "{x}的调仓有约束未满足，其中约束本身无解的占全部调仓的{y}，其余因个股无法交易；研报未说明其频率。",
)
WEIGHTS = Text("Index weights: {how}.", "指数权重：{how}。")
SAME_YEARS = Text(
    "{arm}: in the {n} full years that both have, the top group in {universe} beat the index by "
    "{ours} a year, the study's by {theirs} (over all of its years {whole}): that part of the "
    "difference is not the years'.",
    "{arm}：在两者共有的{n}个完整年份中，{universe}多头组年均超额{ours}，"
    "研报为{theirs}（其全部年份为{whole}）：这部分差异并非年份所致。",
)
WITHIN = Text(
    "Years that only one of the two spans has make differences with a standard error of {error}: "
    "{gap} in RankIC is within twice that, so they alone could make it.",
    "仅由两者不重合的年份所致的差异，标准误为{error}；{gap}的秩相关IC差异在其两倍以内，单凭年份不同即可造成。",
)
BEYOND = Text(
    "Years that only one of the two spans has make differences with a standard error of {error}: "
    "{gap} in RankIC is beyond twice that, so protocol, data or seeds have a part.",
    "仅由两者不重合的年份所致的差异，标准误为{error}；{gap}的秩相关IC差异超出其两倍，设定、数据或种子亦有影响。",
)

_HORIZON = HEADLINE_HORIZONS[0]


def sentences(content: RunContent) -> list[Text]:
    """From the protocol to the portfolios; what a run doesn't have is not spoken of."""
    texts = [_protocol(content)]
    for arm, ref in compared(content):
        texts += [_gap(content, arm, ref), _same_years(content, arm, ref)]
        texts += [_size(content, arm, ref), _styles(content, arm)]
    texts += [_benchmark(content), *_portfolios(content)]
    return [said for said in texts if said is not None]


def _protocol(content: RunContent) -> Text | None:
    plan, fit, study = content.recipe.get("plan"), content.recipe.get("fit"), study_of(content)
    spans = spans_of(content)
    if not plan or not fit or not spans:
        return None
    return PROTOCOL.filled(
        ours=joined(" · ", map(span, spans)),
        study=study_name(content),
        theirs=span(study["span"]),
        every=plan["every"],
        epochs=fit["epochs"],
        seeds=len(fit["seeds"]),
    )  # fmt: skip


def _gap(content: RunContent, arm: ArmContent, ref: Reference) -> Text | None:
    """How far our RankIC is from the study's, and whether the choice of years could make it."""
    record = headline_record(content, arm)
    published = ref.rank_ic("mean", content.lead, _HORIZON, content.main)
    error = None if record is None else standard_error(record)
    difference = None if record is None or published is None else gap(record, published)
    if record is None or published is None or difference is None or error is None:
        return None
    ours, (low, high) = record["rank_ic"]["mean"], year_range(record)
    parts: list[Text | None] = [
        GAP.filled(
            arm=arm.name,
            ours=number(ours, "ic"),
            published=number(published, "ic"),
            gap=number(difference, "signed_ic"),
            error=number(error, "ic"),
            low=number(low, "ic"),
            high=number(high, "ic"),
        ),
    ]
    parts.append(_verdict(content, arm, record, published))
    seeds = seeds_of(arm, record)
    if seeds:
        said = SEEDS.filled(std=number(seeds["std"], "ic"), n=seeds["n_seeds"])
        parts.append(said)
    else:
        parts.append(ONE_SEED)
    return together(part for part in parts if part is not None)


def _verdict(content: RunContent, arm: ArmContent, record: ICRecord, published: float) -> Text | None:
    """Whether the years that only one of the two spans has could make the difference."""
    difference, error = gap(record, published), years_error(content, arm, record)
    if difference is None or error is None:
        return None
    form = WITHIN if abs(difference) < 2 * error else BEYOND
    return form.filled(gap=number(difference, "signed_ic"), error=number(error, "ic"))


def _same_years(content: RunContent, arm: ArmContent, ref: Reference) -> Text | None:
    """The universe whose top group is farthest from the study's in the years that both have."""
    given = ((universe, same_years(arm, ref, universe)) for universe in content.universes())
    known = {universe: one for universe, one in given if one is not None}
    if not known:
        return None
    universe, one = max(known.items(), key=lambda item: abs(item[1].ours - item[1].theirs))
    return SAME_YEARS.filled(
        arm=arm.name,
        n=len(one.years),
        universe=words().universe(universe),
        ours=number(one.ours, "signed_percent"),
        theirs=number(one.theirs, "signed_percent"),
        whole=number(one.theirs_all, "signed_percent"),
    )  # fmt: skip


def _size(content: RunContent, arm: ArmContent, ref: Reference) -> Text | None:
    """The index universe whose share of the RankIC over all stocks is farthest from the study's."""
    distances = [
        (abs(both[0] - both[1]), universe, both)
        for universe in content.universes()
        if universe != content.lead and (both := share_of_all(content, arm, ref, universe)) is not None
    ]
    if not distances:
        return None
    _, universe, (ours, theirs) = max(distances)
    said = SIZE.filled(
        arm=arm.name, universe=words().universe(universe), ours=_whole(ours), theirs=_whole(theirs)
    )  # fmt: skip
    record, published = headline_record(content, arm, universe), ref.rank_ic("mean", universe, _HORIZON, content.main)
    verdict = None if record is None or published is None else _verdict(content, arm, record, published)
    return together(one for one in (said, verdict) if one is not None)


def _styles(content: RunContent, arm: ArmContent) -> Text | None:
    name = residual_set(content)
    entry = residual(content, arm, name)
    # A run of before regressed fewer names than its RankIC is over: nothing is said of it.
    if entry is None or "raw_rank_ic" not in entry or entry["rank_ic"]["mean"] is None:
        return None
    return STYLES.filled(
        arm=arm.name,
        raw=number(entry["raw_rank_ic"]["mean"], "ic"),
        left=number(entry["rank_ic"]["mean"], "ic"),
        set=words().term(name),
        styles=strongest(content, arm),
    )  # fmt: skip


def _benchmark(content: RunContent) -> Text | None:
    """The top group over all stocks has another benchmark where the market lacks the study's index."""
    index = (study_of(content).get("protocol") or {}).get("index_of_all")
    groups = [group for arm, _ in compared(content) if (group := arm.group("all")) is not None]
    if index is None or not any(group["benchmark"] == "equal_weight" for group in groups):
        return None
    return BENCHMARK.filled(index=words().universe(index))


def _portfolios(content: RunContent) -> list[Text]:
    """Of the compared arms' portfolios: the replica, styles and selection, bounds that gave way, how index weights were
    made."""
    names = {arm.name for arm, _ in compared(content)}
    mine = [p for p in content.portfolios if p.arm in names]
    texts: list[Text] = []

    def ranged(style: str, reading: Callable[[PortfolioContent], float | None]) -> Text | None:
        return _range([value for p in mine if (value := reading(p)) is not None], style)

    strays, made = ranged("percent", _replica_error), ranged("signed_percent", _replica_excess)
    if strays and made:
        texts.append(REPLICA.filled(x=made, y=strays))
    styles, selection = (ranged("signed_percent", partial(part_a_year, key=key)) for key in ("styles", "selection"))
    if styles and selection:
        texts.append(PARTS.filled(x=styles, y=selection))
    relaxed = ranged("share", relaxed_share)
    infeasible = ranged("share", partial(relaxed_share, key="infeasible_rebalances"))
    if relaxed and infeasible:
        texts.append(RELAXED.filled(x=relaxed, y=infeasible))
    how = dict.fromkeys(said for p in mine if (said := weights_said(p.summary)) is not None)
    if any(p.summary.get("replica_weights") not in (None, "published") for p in mine):
        texts.append(WEIGHTS.filled(how=joined(" | ", how)))
    return texts


def _range(values: Sequence[float], style: str) -> Text | None:
    """From the least to the largest; one number where they are the same."""
    if not values:
        return None
    low, high = (number(end, style) for end in (min(values), max(values)))
    return Text(low) if low == high else Text("{low} to {high}", "{low}至{high}").filled(low=low, high=high)


def _replica_excess(p: PortfolioContent) -> float | None:
    """What the replica made against the price index: the excess over the one less that over the other."""
    excess, over_replica = p.whole.get("excess"), p.whole.get("excess_replica")
    if excess is None or over_replica is None or p.summary.get("benchmark") != "price":
        return None
    return excess - over_replica


def _replica_error(p: PortfolioContent) -> float | None:
    """The replica's tracking error against the price index."""
    error = p.whole.get("replica_tracking_error")
    return error if p.summary.get("benchmark") == "price" else None


def _whole(share: float) -> str:
    return f"{100 * share:.0f}%"


def study_name(content: RunContent) -> Text:
    """The study that the run compares with."""
    _, ref = next(compared(content))
    return Text(str(studies()[ref.study]["name"]), words().term(ref.study).zh)


def strongest(content: RunContent, arm: ArmContent) -> Text:
    """The styles that a score is correlated with most."""
    of, ranked = strongest_styles(content, arm)
    parts = [joined(" ", [words().style(style, of), number(mean, "signed")]) for style, mean in ranked]
    return joined(", ", parts) if parts else Text(MISSING)
