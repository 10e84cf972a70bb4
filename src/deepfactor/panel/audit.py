"""What a compiled market looks like by year: coverage, universe, limits, suspensions, replicas; what is strange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Floats, Indices, Int8, Int32
from deepfactor.core.words import Sentence, Text
from deepfactor.market.boards import Board, boards_of
from deepfactor.panel.panel import Panel
from deepfactor.panel.replicas import ReplicaYears, doubtful, replica_years
from deepfactor.panel.universe import Universe, UniverseRule
from deepfactor.store.checks import TICK, Finding

#: Trading days in a row at one price, with volume, from which a price counts as stale.
STALE_DAYS = 10
#: Days without a trade from which the day after counts as a resumption.
RESUMED_AFTER = 5
#: Fen by which limits of adjusted prices are off: reference, limit and close are each rounded.
_ADJUSTED_FEN = 2
#: Share by which an adjusted return may pass the limit's width: factors and references are rounded.
_ROUNDING = 0.01
_YOUNG = 6  # days since the first row within which a price beyond the limit is a listing's
#: Why a close may lie beyond the derived limit, in the order in which reasons are looked for.
#: "ST mark": the stock is marked, and the close lies within twice the width, which is the limit of one that isn't.
REASONS = ("ex-date", "listing", "resumption", "ST mark", "unexplained")
_OUTDATED_ST = Sentence(
    "closes of {n} symbols lie beyond the limit of ST, within the ordinary one: is the mark outdated?",
    "ST标记可疑：{n}只股票的收盘价超出ST涨跌幅而未超普通涨跌幅，标记是否过时？",
)
_BEYOND = Sentence(
    "closes lie beyond the day's price limit; neither listing, resumption, ST nor factor explains it ({share} of "
    "stock-days with a limit)",
    "收盘价超出当日涨跌停价，上市、复牌、ST与复权因子均无法解释（占有涨跌幅限制的股票日的{share}）",
)
_STALE = Sentence(
    "spells of {days} or more days of trade at one and the same price", "连续{days}天或以上以同一价格成交"
)
_NO_MEMBERS = Sentence(
    "indices have levels but no members: no benchmark to enhance, no test universe",
    "指数有点位而无成分：不能作为增强基准或测试股票池",
)
_FLAWED = Sentence(
    "the weights of {index} are on {n} days not its own: {how}", "{index}的权重有{n}天并非其完整的最新公布权重：{how}"
)
_NO_SIZE = Sentence(
    "no market value: no SIZE, so no neutralised label, no style constraint, no replica by cap",
    "没有市值：无市值风格，因而无中性化标签、无风格约束、无市值加权的复制指数",
)
_NO_TOTAL_MV = Sentence("no total_mv: size is the float market value", "没有总市值：以流通市值为市值")
_NO_VWAP = Sentence(
    "no vwap, nor an amount that gives one: no t1_vwap convention, fills at the close only",
    "没有均价，也没有可推算均价的成交额：无t1_vwap口径，只能以收盘价成交",
)
_NO_INDUSTRY = Sentence("no industry: no industry neutrality", "没有行业分类：无法行业中性")
_NO_WEIGHTS = Sentence("no index weights: no index enhancement", "没有指数权重：无法做指数增强")
_NO_LEVELS = Sentence("no index levels: excess is against the replica alone", "没有指数点位：超额只能相对复制指数")
_NO_TOTAL_RETURN = Sentence(
    "no total-return levels: excess against the price index earns the yield",
    "没有全收益指数点位：相对价格指数的超额包含股息",
)
_NO_ST = Sentence(
    "no ST marks: ST stocks are not left out, their limits are too wide", "没有ST标记：未剔除ST股票，其涨跌停幅度偏宽"
)
_NO_FUNDAMENTALS = Sentence(
    "no fundamentals: no value, growth, profitability or leverage styles", "没有财务数据：无估值、成长、盈利与杠杆风格"
)
_NO_DELISTING = Sentence("no delisting is known: survivorship", "没有退市信息：存在幸存者偏差")
_DERIVED_WEIGHTS = Sentence(
    "no published weights, on all days or some: {named}: by {how} instead",
    "部分或全部日期没有公布的指数权重：{named}；代之以{how}",
)
_INSTEAD = {
    "free_float": Sentence("the vendor's free float", "数据商的自由流通股本"),
    "float_cap": Sentence("float market value", "流通市值"),
    "total_cap": Sentence("total market value", "总市值"),
    "estimated": Sentence(
        "market value, with inclusion factors of the largest members estimated from the index's returns",
        "市值，最大成分股的纳入因子由指数收益估计",
    ),
}


@dataclass(frozen=True)
class Beyond:
    """Closes beyond the day's limit of one year and board: stock-days with a limit, and those beyond by reason."""

    year: int
    board: str
    limited: int
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class PanelAudit:
    """A market in numbers.

    Attributes
    ----------
    years : ascending
    coverage : field or fact → share of traded stock-days that have it, a number a year
    sizes : name → number a year: days; listed, traded, scored (default rule) at the median day
    stock_days : name → number a year: at limit up, at limit down, suspended
    beyond : closes beyond the limit, by year and board; only those with any
    replicas : index → how its replica stands to the published level
    weights : index → kind (see `deepfactor.panel.weighting`) → days
    findings : what is strange, as warnings
    """

    years: tuple[int, ...]
    coverage: Mapping[str, tuple[float, ...]]
    sizes: Mapping[str, tuple[int, ...]]
    stock_days: Mapping[str, tuple[int, ...]]
    beyond: tuple[Beyond, ...]
    replicas: Mapping[str, ReplicaYears]
    weights: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]


def audit_panel(panel: Panel, universe: Universe, *, adjusted: bool = False) -> PanelAudit:
    """Statistics and findings of a market; one pass a field. `adjusted`: prices are, so limits are off by fen."""
    year = panel.dates.astype("datetime64[Y]").astype(np.int64) + 1970
    years, first = np.unique(year, return_index=True)
    cuts = [slice(int(a), int(b)) for a, b in zip(first, [*first[1:], len(year)], strict=True)]
    fen = np.rint(np.nan_to_num(panel["close"]) * 100).astype(np.int32)
    up, down = (universe.traded & (limit > 0) for limit in (universe.limit_up, universe.limit_down))
    slack = _ADJUSTED_FEN if adjusted else 0
    above, below = up & (fen > universe.limit_up + slack), down & (fen < universe.limit_down - slack)
    eligible = universe.eligible(UniverseRule())
    beyond, finding = _beyond(panel, universe, above | below, up | down, fen)
    replicas = {index: replica_years(panel, universe, index, cuts) for index in _with_level(universe)}
    strange = [one for index, replica in replicas.items() for one in doubtful(tuple(years.tolist()), index, replica)]
    return PanelAudit(
        years=tuple(int(y) for y in years),
        coverage=_coverage(panel, universe, cuts),
        sizes={
            "days": tuple(c.stop - c.start for c in cuts),
            **{
                name: tuple(int(np.median(mask[c].sum(axis=1))) for c in cuts)
                for name, mask in (("listed", universe.listed), ("traded", universe.traded), ("scored", eligible))
            },
        },
        stock_days={
            "close at limit up": tuple(int((up[c] & (fen[c] == universe.limit_up[c])).sum()) for c in cuts),
            "close at limit down": tuple(int((down[c] & (fen[c] == universe.limit_down[c])).sum()) for c in cuts),
            "listed, not traded": tuple(int((universe.listed[c] & ~universe.traded[c]).sum()) for c in cuts),
        },
        beyond=beyond,
        replicas=replicas,
        weights={index: weighting.used().days for index, weighting in universe.weighting.items()},
        findings=(*finding, *_stale(panel, universe, fen), *_thin_indices(universe), *_flawed(universe), *strange),
    )


def _coverage(panel: Panel, universe: Universe, cuts: list[slice]) -> dict[str, tuple[float, ...]]:
    """Share of traded stock-days with a value, by field and for industry and a limit."""

    def share(there: Callable[[slice], Bools]) -> tuple[float, ...]:
        traded = (universe.traded[cut] for cut in cuts)
        return tuple(float((there(c) & t).sum() / max(int(t.sum()), 1)) for c, t in zip(cuts, traded, strict=True))

    def finite(values: Floats) -> tuple[float, ...]:
        return share(lambda cut: np.isfinite(values[cut]))

    return {
        **{name: finite(values) for name, values in panel.fields.items()},
        "industry": share(lambda cut: universe.industry[cut] >= 0),
        "price limit": share(lambda cut: universe.limit_up[cut] > 0),
    }


def _beyond(
    panel: Panel, universe: Universe, outside: Bools, limited: Bools, fen: Int32
) -> tuple[tuple[Beyond, ...], list[Finding]]:
    """Closes beyond the day's limit by year, board and reason; the unexplained as a finding."""
    t, n = np.nonzero(outside)
    reason = _reasons(panel, universe, t, n)
    boards = boards_of(panel.symbols)
    year = panel.dates.astype("datetime64[Y]").astype(np.int64) + 1970
    out = []
    for y in np.unique(year):
        rows = np.flatnonzero(year == y)
        count = limited[rows[0] : rows[-1] + 1].sum(axis=0)
        for board in Board:
            mine = (year[t] == y) & (boards[n] == board)
            if mine.any():
                reasons = {name: int((reason[mine] == i).sum()) for i, name in enumerate(REASONS)}
                out.append(Beyond(int(y), board.name, int(count[boards == board].sum()), reasons))
    return tuple(out), [
        *_doubtful_marks(panel, t, n, reason),
        *_unexplained(panel, universe, t, n, reason, fen, int(limited.sum())),
    ]


def _doubtful_marks(panel: Panel, t: Indices, n: Indices, reason: Int8) -> list[Finding]:
    """Symbols marked ST that move as those that aren't."""
    mine = reason == REASONS.index("ST mark")
    if not mine.any():
        return []
    names, first = np.unique(n[mine], return_index=True)
    examples = tuple(
        f"{panel.symbols[name]} from {panel.dates[t[mine][i]]}" for name, i in zip(names, first, strict=True)
    )
    message = _OUTDATED_ST.filled(n=len(names))
    return [Finding("warning", "doubtful_st", "daily", "is_st", int(mine.sum()), message, None, examples[:5])]


def _unexplained(
    panel: Panel,
    universe: Universe,
    t: Indices,
    n: Indices,
    reason: Int8,
    fen: Int32,
    limited: int,
) -> list[Finding]:
    """Closes beyond the limit that no reason explains."""
    strange = np.flatnonzero(reason == REASONS.index("unexplained"))
    if not len(strange):
        return []
    examples = tuple(_example(panel, universe, int(t[i]), int(n[i]), fen) for i in strange[:5])
    message = _BEYOND.filled(share=f"{len(strange) / max(limited, 1):.4%}")
    return [Finding("warning", "beyond_limit", "daily", "close", len(strange), message, None, examples)]


def _example(panel: Panel, universe: Universe, t: int, n: int, fen: Int32) -> str:
    before, factor = _before(universe, t, n), panel["adj_factor"]
    moved = f", adj_factor {factor[before, n]:.6g} → {factor[t, n]:.6g}" if factor[t, n] != factor[before, n] else ""
    limits = f"{universe.limit_down[t, n] / 100:.2f} to {universe.limit_up[t, n] / 100:.2f}"
    return f"{panel.dates[t]} {panel.symbols[n]} close {fen[t, n] / 100:.2f}, limits {limits}{moved}"


def _reasons(panel: Panel, universe: Universe, t: Indices, n: Indices) -> Int8:
    """Index into `REASONS` of each stock-day (t, n)."""
    first = universe.traded.argmax(axis=0)
    out = np.full(len(t), REASONS.index("unexplained"), dtype=np.int8)
    for i, (row, column) in enumerate(zip(t, n, strict=True)):
        if _is_ex_date(panel, universe, row, column):
            out[i] = REASONS.index("ex-date")
        elif row - first[column] < _YOUNG:
            out[i] = REASONS.index("listing")
        elif not universe.traded[max(row - RESUMED_AFTER, 0) : row, column].any():
            out[i] = REASONS.index("resumption")
        elif universe.st[row, column] and _within_twice_the_width(panel, universe, row, column):
            out[i] = REASONS.index("ST mark")
    return out


def _before(universe: Universe, t: int, n: int) -> int:
    """The row of the stock's trade before row `t`; `t` itself where there is none."""
    rows = np.flatnonzero(universe.traded[:t, n])
    return int(rows[-1]) if len(rows) else t


def _is_ex_date(panel: Panel, universe: Universe, t: int, n: int) -> bool:
    """Whether the factor changes, and as much as the price: the adjusted return is within the day's limit.

    But for the rounding of reference and limit, which are of cheap prices a good part.
    """
    before, factor = _before(universe, t, n), panel["adj_factor"]
    if factor[t, n] == factor[before, n]:
        return False
    close, last = float(panel["close"][t, n]), float(panel["close"][before, n])
    up, down = int(universe.limit_up[t, n]), int(universe.limit_down[t, n])
    width = (up - down) / (up + down) + _ROUNDING + 2 * TICK / min(close, last)
    return bool(abs(close * factor[t, n] / (last * factor[before, n]) - 1) <= width)


def _within_twice_the_width(panel: Panel, universe: Universe, t: int, n: int) -> bool:
    """Whether a close lies within ±10 % where the limits are ±5 %, but for rounding."""
    up, down = int(universe.limit_up[t, n]), int(universe.limit_down[t, n])
    return bool(abs(float(panel["close"][t, n]) * 100 - (up + down) / 2) <= up - down + 1)


def _stale(panel: Panel, universe: Universe, fen: Int32) -> list[Finding]:
    """Runs of `STALE_DAYS` days of trade at one close, high and low."""
    flat = universe.traded & (panel["high"] == panel["low"])
    run = np.zeros(len(panel.symbols), dtype=np.int32)
    stale: list[str] = []
    for t in range(1, len(fen)):
        same = flat[t] & universe.traded[t - 1] & (fen[t] == fen[t - 1])
        run = np.where(same, run + 1, 0)
        stale += [f"{panel.dates[t]} {panel.symbols[n]}" for n in np.flatnonzero(run == STALE_DAYS - 1)]
    if not stale:
        return []
    message = _STALE.filled(days=STALE_DAYS)
    return [Finding("warning", "stale_price", "daily", "close", len(stale), message, None, tuple(stale[:5]))]


def _thin_indices(universe: Universe) -> list[Finding]:
    """Indices with a level, but no members on any day."""
    empty = sorted(set(universe.index_close) - {name for name, mask in universe.members.items() if mask.any()})
    if not empty:
        return []
    examples = tuple(empty[:5])
    return [
        Finding("warning", "index_without_members", "index_daily", "index", len(empty), _NO_MEMBERS, None, examples)
    ]


def _flawed(universe: Universe) -> list[Finding]:
    """Indices whose published weights are, where they are used, not whole or old."""
    out = []
    for index, weighting in universe.weighting.items():
        used = weighting.used()
        days = sum(n for kind, n in used.days.items() if kind.startswith("published_"))
        if days:
            message = _FLAWED.filled(index=index, n=days, how=used.text())
            out.append(Finding("warning", "flawed_weights", "index_weights", "weight", days, message))
    return out


def _with_level(universe: Universe) -> list[str]:
    return [index for index in universe.benchmark if index in universe.index_close]


def limitations(panel: Panel, universe: Universe, has: frozenset[str]) -> list[str]:
    """Tests and constraints that this market doesn't allow, with what is missing. `has`: names of its tables."""
    caps = {"total_mv", "float_mv"} & set(panel.fields)
    lacking = [
        (not caps, _NO_SIZE),
        ("total_mv" not in panel.fields and bool(caps), _NO_TOTAL_MV),
        ("vwap" not in panel.fields, _NO_VWAP),
        (not universe.industries, _NO_INDUSTRY),
        (not universe.benchmark, _NO_WEIGHTS),
        *_derived_weights(universe),
        (not universe.index_close, _NO_LEVELS),
        (not universe.index_total_return, _NO_TOTAL_RETURN),
        (not universe.st.any(), _NO_ST),
        ("fundamentals" not in has, _NO_FUNDAMENTALS),
        (bool((~universe.listed[-1] & universe.listed.any(axis=0)).sum() == 0), _NO_DELISTING),
    ]
    return [str(text) for missing, text in lacking if missing]


def _derived_weights(universe: Universe) -> list[tuple[bool, Text]]:
    """What of the indices' weights is not the publisher's, by how it was made instead."""
    out = []
    for kind, how in _INSTEAD.items():
        days = {index: weighting.used().days.get(kind, 0) for index, weighting in universe.weighting.items()}
        named = ", ".join(f"{index} ({n:,} days)" for index, n in sorted(days.items()) if n)
        out.append((bool(named), _DERIVED_WEIGHTS.filled(named=named, how=how)))
    return out
