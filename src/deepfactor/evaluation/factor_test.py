"""The factor test: any factor against forward returns, as daily series, statistics, groups and top portfolios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deepfactor.core.arrays import AnyArray, Bools, Float64
from deepfactor.evaluation.character import autocorrelation
from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.groups import GroupTest, weekly_groups
from deepfactor.evaluation.holding import Marks
from deepfactor.evaluation.long_side import LongSide, long_side
from deepfactor.evaluation.parts import PartSeries, within_parts
from deepfactor.evaluation.records import FactorFile
from deepfactor.evaluation.series import AllSeries, ICSeries, LongLeg, all_series
from deepfactor.evaluation.settings import Sampling, TestSettings
from deepfactor.evaluation.styles import StyleTest, compare_with_styles
from deepfactor.evaluation.tops import TopTest, top_portfolios
from deepfactor.evaluation.window import Window, cut_window, require_universes
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import PriceField, entry
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from deepfactor.styles.base import Styles

#: Bytes ÷ 8 up to which temporaries are kept.
_KEPT = 1 << 21

__all__ = ["FactorReport", "TestSettings", "test_factor"]


@dataclass(frozen=True)
class FactorReport:
    """Everything a factor test found.

    Attributes
    ----------
    factor : name of the factor; seed : None = the ensemble
    market : fingerprint of the panel
    span : first and last scored day tested
    samplings : of the records
    series : daily coefficients; decay : those of horizons 1, 2, …; long_legs : of the asked horizons
    groups, tops : with their NAV curves
    long_sides : the top group as a buyer holds it, a universe each
    parts : RankIC within industries and thirds of size, of the ensemble alone
    autocorrelation : {days between rebalances: mean rank autocorrelation}
    styles : the factor beside each style set; the first is the recipe's own
    dropped : count a reason, of all that the numbers leave out or treat apart; a reason that is absent counts 0
    """

    factor: str
    seed: int | None
    market: str
    span: tuple[np.datetime64, np.datetime64]
    samplings: tuple[Sampling, ...]
    series: tuple[ICSeries, ...]
    decay: tuple[ICSeries, ...]
    long_legs: tuple[LongLeg, ...]
    groups: tuple[GroupTest, ...]
    tops: tuple[TopTest, ...]
    long_sides: tuple[LongSide, ...]
    parts: tuple[PartSeries, ...]
    autocorrelation: Mapping[int, float]
    styles: tuple[StyleTest, ...]
    dropped: Mapping[str, int]

    def to_json_dict(self) -> FactorFile:
        """The content of `factor_report.json`; missing = None."""
        content: FactorFile = {
            "factor": self.factor,
            "market": self.market,
            "span": [str(day) for day in self.span],
            "records": [s.record(self.factor, self.seed, sampling) for s in self.series for sampling in self.samplings],
            "decay": [one.decayed() for one in self.decay],
            "long_leg": [leg.record() for leg in self.long_legs],
            "groups": [group.record() for group in self.groups],
            "top_n": [top.record() for top in self.tops],
            "long_side": [one.record() for one in self.long_sides],
            "parts": [part.record() for part in self.parts],
            "autocorrelation": {str(step): value for step, value in self.autocorrelation.items()},
            "style_correlation": self.styles[0].correlations() if self.styles else {},
            "style_correlations": {styles.name: styles.correlations() for styles in self.styles},
            "styles_absent": {styles.name: dict(styles.absent) for styles in self.styles},
            "residual_ic": [record for styles in self.styles for record in styles.residual_records()],
            "dropped": dict(self.dropped),
        }
        plain: FactorFile = _plain(content)
        return plain

    def ic_columns(self) -> dict[str, AnyArray]:
        """The columns of `ic_series.parquet`, all of one length; NaN = no coefficient that day."""
        return _columns(self.series, ("universe", "convention", "names", "horizon"))

    def residual_columns(self) -> dict[str, AnyArray]:
        """The columns of `residual_ic_series.parquet`, as `ic_columns`, of what each style set leaves of the score, and
        the score's own RankIC over the same names; empty where there is no style set to regress on."""
        series = [one for styles in self.styles for one in styles.residual]
        if not series:
            return {}
        names = np.array([styles.name for styles in self.styles for _ in styles.residual])
        columns = _columns(series, ("universe", "convention", "horizon"))
        sets = np.repeat(names, [len(one.dates) for one in series])
        raw = np.concatenate([one for styles in self.styles for one in styles.raw])
        return {"date": columns["date"], "set": sets} | columns | {"raw_rank_ic": raw}

    def group_columns(self) -> dict[str, AnyArray]:
        """The columns of `group_nav.parquet`: each universe's top group (before cost), its excess over its benchmark,
        and over the universe by market value where that stands beside; then every group's NAV, the lowest scores first.
        NaN where a universe has no such group."""
        held = [group for group in self.groups if len(group.dates)]
        top = [group.nav[:, -1] for group in held]
        every = range(max((group.nav.shape[1] for group in held), default=0))
        return {
            "date": np.concatenate([np.array([], "datetime64[D]"), *(group.dates for group in held)]),
            "universe": np.repeat(np.array([group.universe for group in held], str), [len(nav) for nav in top]),
            "nav": np.concatenate([np.array([]), *top]),
            "excess_nav": np.concatenate(
                [np.array([]), *(nav / group.benchmark_nav for nav, group in zip(top, held, strict=True))]
            ),
            "excess_nav_cap_weight": np.concatenate(
                [
                    np.array([]),
                    *(
                        np.full(len(nav), np.nan) if group.cap_weight_nav is None else nav / group.cap_weight_nav
                        for nav, group in zip(top, held, strict=True)
                    ),
                ]
            ),
            **{f"group_{k + 1}": np.concatenate([_group(group, k) for group in held]) for k in every},
        }


def _group(group: GroupTest, k: int) -> Float64:
    """NAV of group `k`; NaN where there are fewer."""
    return group.nav[:, k] if k < group.nav.shape[1] else np.full(len(group.nav), np.nan)


def _columns(series: Sequence[ICSeries], labels: Sequence[str]) -> dict[str, AnyArray]:
    """Daily coefficients below each other, with their `labels`."""
    sizes = [len(one.dates) for one in series]
    columns: dict[str, AnyArray] = {"date": np.concatenate([one.dates for one in series])}
    for name in labels:
        columns[name] = np.repeat(np.array([getattr(one, name) for one in series]), sizes)
    for name in ("ic", "rank_ic", "n"):
        columns[name] = np.concatenate([getattr(one.values, name) for one in series])
    return columns


def test_factor(
    scores: Scores,
    panel: Panel,
    universe: Universe,
    settings: TestSettings,
    *,
    eligible: Bools,
    styles: Iterable[tuple[str, Styles]] = (),
    seed: int | None = None,
) -> FactorReport:
    """Test a factor.

    Parameters
    ----------
    scores : aligned with `panel` and `universe`
    eligible : (T, N) bool
        the universe `all`: who may be scored on the day.
    styles : pairs of name and style set
        to compare the factor with, by what was known on the day; the first is the recipe's own.
    seed : which seed's scores these are; None = the ensemble

    Raises
    ------
    DataError
        no score in this market and span, an unknown universe, arrays that aren't aligned.

    Notes
    -----
    A score of day t is paired with returns from t (`t0_close`) or t + 1 on. Portfolios are held up to the last scored
    day of the span, so nothing behind it but the coefficients' exits is read.
    """
    require_universes(settings.universes, universe)
    np.empty(_KEPT)  # freed at once: glibc then keeps what blocks need in its heap, not giving it back each time
    window = cut_window(
        scores,
        panel,
        universe,
        eligible,
        start=None if settings.start is None else np.datetime64(settings.start, "D"),
        end=None if settings.end is None else np.datetime64(settings.end, "D"),
        reach=1 + max(*settings.horizons, settings.decay),
    )
    first = window.names(settings.universes[0])
    marks = _marks(window, settings)
    tested: AllSeries = all_series(window, settings, {price: of.enterable for price, of in marks.items()})
    groups, tops = _groups(window, settings, marks), _tops(window, settings, marks)
    long_sides = _long_sides(window, settings, marks["close"])
    del marks
    beside = compare_with_styles(window, settings, styles, tested.asked)
    dropped = window.dropped | tested.dropped
    for one in beside:
        dropped |= one.dropped
    dropped |= {f"groups.{g.universe}.{reason}": n for g in groups for reason, n in g.counts.items()}
    dropped |= {f"tops.{t.convention}.{t.every}.{reason}": n for t in tops for reason, n in t.counts.items()}
    return FactorReport(
        factor=scores.name,
        seed=seed,
        market=panel.fingerprint,
        span=(window.dates[0], window.dates[-1]),
        samplings=settings.samplings,
        series=tested.asked,
        decay=tested.decay,
        long_legs=tested.long_legs,
        groups=tuple(groups),
        tops=tuple(tops),
        long_sides=tuple(long_sides),
        parts=within_parts(window, settings) if seed is None else (),
        autocorrelation={k: autocorrelation(window, first, k) for k in settings.top_every},
        styles=beside,
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def _marks(window: Window, settings: TestSettings) -> dict[PriceField, Marks]:
    """At the prices of the test's conventions; groups trade at the close."""
    conventions = (*settings.conventions, *(settings.top_conventions if settings.tops else ()))
    prices: set[PriceField] = {"close", *(entry(convention)[1] for convention in conventions)}
    return {
        price: Marks.of(window.panel, window.universe, price, delist_haircut=settings.delist_haircut)
        for price in prices
    }


def _groups(window: Window, settings: TestSettings, marks: Mapping[PriceField, Marks]) -> list[GroupTest]:
    numbers = {name: settings.groups_of(name) for name in settings.universes}
    definitions = PRESETS[settings.group_definitions]
    results = []
    for name, number in numbers.items():
        if number > 0:
            index = settings.all_share_index if name in ("all", "every") else name
            results.append(weekly_groups(window, name, marks["close"], number, index, definitions))
    return results


def _long_sides(window: Window, settings: TestSettings, marks: Marks) -> list[LongSide]:
    """Of the universes that have groups, in parts of their size."""
    if not settings.long_weeks:
        return []
    return [
        long_side(
            window,
            name,
            marks,
            part,
            settings.long_turnover,
            settings.long_weeks,
            settings.cost_rate,
            PRESETS[settings.group_definitions],
        )
        for name in settings.universes
        if (part := settings.groups_of(name)) > 1
    ]


def _tops(window: Window, settings: TestSettings, marks: Mapping[PriceField, Marks]) -> list[TopTest]:
    if not settings.tops:
        return []
    names = window.names(settings.universes[0])
    definitions = PRESETS[settings.top_definitions]
    results = []
    for convention in settings.top_conventions:
        _, price = entry(convention)
        for step in settings.top_every:
            starts = [
                top_portfolios(
                    window,
                    names,
                    marks[price],
                    convention,
                    step,
                    settings.tops,
                    settings.cost_rate,
                    definitions,
                    offset=start,
                )
                for start in range(step if settings.top_offsets else 1)
            ]
            together = zip(*starts, strict=True)
            results += [replace(same[0], offsets=same if settings.top_offsets else ()) for same in together]
    return results


def _plain(content: Any) -> Any:
    """`content` for JSON: numpy numbers as Python's, what isn't finite as None."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    if isinstance(content, (float, np.floating)):
        return float(content) if np.isfinite(content) else None
    if isinstance(content, np.integer):
        return int(content)
    return content
