"""What a reader must be warned of: the run's own warnings, and what the results themselves give away."""

from __future__ import annotations

from collections.abc import Mapping

from deepfactor.core.words import Text, joined, together
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Block, Said, Section, Sentences
from deepfactor.report.press.formats import number
from deepfactor.report.press.words import words
from deepfactor.report.sections._weights import weights_said
from deepfactor.runs.environment import MarketRecord

ORDER = 20

#: Fewer returns that don't overlap than this are few.
FEW = 60
#: Share of the edges between groups that lie within equal scores, from which on it is said.
TIED = 0.01

INTRO = Text(
    "What the audit and the run found that does not stop the work, but that bears on how far the "
    "numbers can be trusted.",
    "数据审计与运行中发现的、不妨碍运行但影响数字可信度的事项。",
)
SIMULATED = Text(
    "The market is simulated: nothing here says anything about real stocks.", "市场为模拟：本页内容与真实股票无关。"
)
ONE_SEED = Text(
    "Arm {arm} has one seed: how far the result hangs on the start of training is not known.",
    "模型{arm}只有一个随机种子：结果对训练初值的依赖程度未知。",
)
SHORT = Text(
    "Arm {arm} is tested over {n} days at {h} trading days: about {m} returns that do not overlap.",
    "模型{arm}测试了{n}天，预测区间{h}个交易日：互不重叠的收益约{m}个。",
)
EQUAL_SCORES = Text(
    "Arm {arm} in {universe}: all scores of a day are equal, so there are no groups.",
    "模型{arm}在{universe}中每日全部得分相同，无法分组。",
)
TIES = Text(
    "Arm {arm} in {universe}: {edges_in_ties} of the edges between groups lie within equal "
    "scores; {names_shared} of the names are shared between groups by weight.",
    "模型{arm}在{universe}中有{edges_in_ties}的分组边界落在相同得分之内；{names_shared}的股票按权重分属多个组。",
)
NEVER_INVESTED = Text(
    "{arm} on {index}: no rebalance was filled, nothing was ever held: its excess is that of "
    "cash and says nothing of the scores.",
    "{arm}增强{index}：没有一次调仓成交，从未持有股票：其超额即现金的超额，不能说明得分优劣。",
)
UNINVESTED = Text(
    "{arm} on {index}: only {mean} of the book was invested on average where its targets ask for "
    "{target} ({n} of {days} days far below): its excess is largely that of cash and says little "
    "of the scores. See the refused orders; with little capital a lot is more than a target "
    "weight.",
    "{arm}增强{index}：组合平均仅投资{mean}，而目标为{target}（{days}天中有{n}天远低于目标）："
    "其超额主要来自现金，不能说明得分优劣。请看未成交委托；资金过少时一手即超过目标权重。",
)
RELAXED = Text(
    "{arm} on {index}: at {relaxed} of {total} rebalances some bounds were not kept, {bounds} in "
    "all, each listed ({named}).",
    "{arm}增强{index}：{total}次调仓中有{relaxed}次存在未满足的约束，共{bounds}项，均已列出（{named}）。",
)
FROZEN = Text(
    "At {n} of them only because of names that could not be traded or bought and kept their "
    "weight: apart from those the constraints had a solution.",
    "其中{n}次只因个股无法交易或不可买入而权重不变：除此之外约束有解。",
)
INFEASIBLE = Text(
    "At {n} the constraints had no solution in common, whoever could be traded, and gave way by "
    "the least in the order of the constraint set.",
    "其中{n}次约束本身无解（即使全部个股可交易），按约束集的顺序以最小幅度放松。",
)
INCOMPLETE = Text(
    "{arm}, {index}: the published weights in use are not the whole index ({how}). The replica, "
    "the constraints and the excess over the replica are of that part of it.",
    "{arm}，{index}：所用的公布权重不是完整指数（{how}）；复制指数、约束以及相对复制指数的超额只对应这一部分。",
)
STALE = Text(
    "{arm}, {index}: published index weights in use are up to {age} days old, carried forward by price.",
    "{arm}，{index}：所用的公布权重最久为{age}天前公布，其后按价格漂移。",
)
NO_TOTAL_RETURN = Text(
    "No total-return level of {index}: the net excess over the price index contains the portfolio's dividends.",
    "没有{index}全收益指数点位：相对价格指数的费后超额包含组合所得分红。",
)
#: Where a portfolio covers less than its scores, by side and by what the market lacks.
CUTS = {
    ("start", "members"): Text(
        "{arm} on {index} begins on {day}: the market has no members of the index before it. The "
        "scores begin on {asked}.",
        "{arm}对{index}的组合始于{day}：此前行情数据中没有该指数的成分股；得分始于{asked}。",
    ),
    ("start", "levels"): Text(
        "{arm} on {index} begins on {day}: the market has no level of the index before it. The "
        "scores begin on {asked}.",
        "{arm}对{index}的组合始于{day}：此前行情数据中没有该指数的点位；得分始于{asked}。",
    ),
    ("end", "members"): Text(
        "{arm} on {index} ends on {day}: the market has no members of the index after it. The scores go on to {asked}.",
        "{arm}对{index}的组合止于{day}：此后行情数据中没有该指数的成分股；得分延续至{asked}。",
    ),
    ("end", "levels"): Text(
        "{arm} on {index} ends on {day}: the market has no level of the index after it. The scores go on to {asked}.",
        "{arm}对{index}的组合止于{day}：此后行情数据中没有该指数的点位；得分延续至{asked}。",
    ),
}
#: Indices whose weights are not the publisher's, by how they were made.
WEIGHTS = (
    (
        ("float_cap", "total_cap"),
        Text(
            "Weights of {indices} are not delivered but derived from float capitalisation and membership.",
            "{indices}的权重并非原始数据，由流通市值与成分推导。",
        ),
    ),
    (
        ("free_float",),
        Text(
            "Weights of {indices} are not delivered but made from the vendor's free float in the index "
            "provider's tiers.",
            "{indices}的权重并非原始数据，由数据商的自由流通股本按指数公司分级靠档计算。",
        ),
    ),
    (
        ("estimated",),
        Text(
            "Weights of {indices} are not delivered but estimated: float capitalisation with inclusion "
            "factors of the largest members, fitted to the index's own past returns.",
            "{indices}的权重并非原始数据，而是估计值：流通市值乘以纳入因子，"
            "最大成分股的纳入因子由指数自身的历史收益拟合。",
        ),
    ),
)
#: Counts of a portfolio that a reader must know of.
COUNTS = {
    "signal_days_of_equal_scores": Text(
        "{arm} on {index}: on {n} signal days all names had one score, and nothing was rebalanced.",
        "{arm}增强{index}：{n}个信号日全部股票得分相同，未调仓。",
    ),
    "rebalances_with_equal_scores": Text(
        "{arm} on {index}: on {n} rebalances a tenth or more of the names had equal scores; which of "
        "them are held is the solver's choice, not the factor's.",
        "{arm}增强{index}：{n}次调仓中有一成以上的股票得分相同，持有其中哪些由求解器决定，而非因子。",
    ),
    "rebalances_with_heavy_tails": Text(
        "{arm} on {index}: on {n} rebalances the scores had heavy tails (kurtosis of 6 or more). The optimiser buys "
        "what stands far out, which is mostly noise.",
        "{arm}增强{index}：{n}次调仓中得分呈厚尾（峰度不低于6）；优化器会买入极端得分，其中多为噪声。",
    ),
}


def section(content: RunContent, make: Maker) -> Section:
    """A list, or that there is nothing."""
    texts, title = make.many(cautions, content), Text("Warnings", "警示")
    said: Block = Said(Text("Nothing was found that a reader must be warned of.", "没有需要提醒读者的事项。"), "")
    if texts:
        said = Sentences(texts, "cautions", "warnings", numbered=True)
    return Section(title, (Said(INTRO), said), link=title, count=len(texts), open=True)


def cautions(content: RunContent) -> list[Text]:
    """Every warning, the gravest first."""
    market: MarketRecord = content.environment["market"]
    texts = [SIMULATED] if content.simulated else []
    texts += [words().sentence(warning) for warning in content.warnings]
    texts += _of_weights(market)
    return [*texts, *_of_arms(content), *_of_portfolios(content)]


def _of_weights(market: MarketRecord) -> list[Text]:
    """Indices whose weights are not the publisher's, by how they were made."""
    # Runs of before say no more than which indices.
    kinds: Mapping[str, str] = market.get("index_weights") or dict.fromkeys(
        market.get("derived_index_weights") or (), "float_cap"
    )
    texts = []
    for made, warning in WEIGHTS:
        names = [words().universe(code) for code, kind in kinds.items() if kind in made]
        if names:
            texts.append(warning.filled(indices=joined(", ", names)))
    return texts


def _of_arms(content: RunContent) -> list[Text]:
    texts = []
    for arm in content.arms:
        if len(arm.model_card.get("seeds") or (0, 0)) == 1:
            texts.append(ONE_SEED.filled(arm=arm.name))
        horizon = 10
        record = arm.record(content.lead, horizon, content.main)
        n = 0 if record is None else int(record["rank_ic"].get("n") or 0)
        if n and record is not None and record.get("sampling") == "daily" and n // horizon < FEW:
            texts.append(SHORT.filled(arm=arm.name, n=n, h=horizon, m=n // horizon))
        texts += _of_ties(arm)
    return texts


def _of_ties(arm: ArmContent) -> list[Text]:
    """Universes without groups because all scores are equal, and those whose edges lie within equal scores."""
    texts = []
    for group in arm.factor_report.get("groups", ()):
        named = {"arm": arm.name, "universe": words().universe(group["universe"])}
        if group.get("reason") == "equal_scores":
            texts.append(EQUAL_SCORES.filled(**named))
        elif (group.get("edges_in_ties") or 0.0) >= TIED:
            shares = {key: number(group[key], "share") for key in ("edges_in_ties", "names_shared")}
            texts.append(TIES.filled(**named, **shares))
    return texts


def _of_portfolios(content: RunContent) -> list[Text]:
    texts: list[Text] = []
    without: list[Text] = []
    for p in content.portfolios:
        whole, index = p.summary["all"], words().universe(p.index)
        texts += [
            CUTS[cut["side"], cut["why"]].filled(arm=p.arm, index=index, day=cut["day"], asked=cut["asked"])
            for cut in p.summary.get("cuts", ())
        ]
        texts += _uninvested(p)
        if whole.get("relaxed_rebalances"):
            texts.append(_relaxed(p))
        texts += _of_published(p, index)
        for key, warning in COUNTS.items():
            if n := p.summary.get("counts", {}).get(key):
                texts.append(warning.filled(arm=p.arm, index=index, n=n))
        episode = whole.get("excess_drawdown")
        if episode is not None and episode.get("recovery") is None:
            texts.append(
                Text(
                    "{arm} on {index}: the deepest excess drawdown had not recovered by the end.",
                    "{arm}增强{index}：最深的超额回撤至期末尚未修复。",
                ).filled(arm=p.arm, index=index)
            )
        if whole.get("excess_total_return") is None and index not in without:
            without.append(index)
    return [*texts, *(NO_TOTAL_RETURN.filled(index=index) for index in without)]


def _uninvested(p: PortfolioContent) -> list[Text]:
    """That a book was not invested as its targets asked: its excess is then mostly that of cash."""
    if not p.summary.get("warnings"):
        return []
    given, index = p.summary["invested"], words().universe(p.index)
    if not given["days"]:
        return [NEVER_INVESTED.filled(arm=p.arm, index=index)]
    shares = {key: number(given[key], "share") for key in ("mean", "target")}
    return [UNINVESTED.filled(arm=p.arm, index=index, n=given["days_below"], days=given["days"], **shares)]


def _relaxed(p: PortfolioContent) -> Text:
    """How often bounds were not kept, of which constraints, and whether names that can't be traded forced it."""
    whole = p.summary["all"]
    given = whole.get("relaxed_constraints") or {}
    form = Text("{name} at {n}", "{name}{n}次")
    named = joined(", ", [form.filled(name=words().term(name), n=n) for name, n in given.items()])
    counts = {"relaxed": whole["relaxed_rebalances"], "total": whole.get("rebalances", "–")}
    index = words().universe(p.index)
    said = [RELAXED.filled(arm=p.arm, index=index, bounds=p.relaxations.height, named=named, **counts)]
    for key, also in (("frozen_rebalances", FROZEN), ("infeasible_rebalances", INFEASIBLE)):
        if n := whole.get(key):
            said.append(also.filled(n=n))
    return together(said)


def _of_published(p: PortfolioContent, index: Text) -> list[Text]:
    """Published weights that aren't the whole index, or are old."""
    days = p.summary.get("replica_weights_days") or {}
    texts = []
    if "published_incomplete" in days:
        texts.append(INCOMPLETE.filled(arm=p.arm, index=index, how=weights_said(p.summary)))
    if "published_stale" in days:
        age = p.summary.get("replica_weights_age")
        texts.append(STALE.filled(arm=p.arm, index=index, age=age))
    return texts
