"""The factor test: any factor against forward returns, as daily series, statistics, groups and top portfolios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.evaluation.character import autocorrelation, style_correlation
from deepfactor.evaluation.definitions import PRESETS, Study
from deepfactor.evaluation.groups import GroupTest, weekly_groups
from deepfactor.evaluation.holding import Marks
from deepfactor.evaluation.ic import DenseRanks, InformationCoefficients, paired_coefficients
from deepfactor.evaluation.statistics import every, summarise, years_of
from deepfactor.evaluation.tops import TopName, TopTest, top_portfolios
from deepfactor.evaluation.window import Window, cut_window, require_universes
from deepfactor.panel.panel import Bools, Dates, Floats, Panel
from deepfactor.panel.returns import CONVENTIONS, Convention, entry, forward_return, tradeable_at_entry
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe

Names = Literal["all", "tradeable"]
Sampling = Literal["daily", "every_h"]
Days = Annotated[int, Field(ge=1)]


class TestSettings(Spec):
    """What a factor is tested for.

    Attributes
    ----------
    universes : `all` (the market's batch of the day), `every` (whoever has a score), or index codes (members of the day
        that are in the batch). The first is that of the top portfolios and of the character.
    conventions, horizons : of the information coefficients
    min_names : a day with fewer pairs of score and return has no coefficient
    groups : number of groups a universe; 0 = none
    other_groups : the same for universes that aren't in `groups`
    all_share_index : benchmark of the groups of `all` and `every`; an index's groups are compared with that index
    tops, top_every, top_conventions : which top portfolios, rebalanced every so many days, traded when
    cost_rate : a side, as a fraction of what is traded
    delist_haircut : lost of the last price when a held stock is delisted (Shumway 1997)
    group_definitions, top_definitions : how returns are annualised and excess is formed; see `definitions`
    start, end : first and last day of the span, inclusive; open = the first and last scored day
    """

    __test__: ClassVar[bool] = False  # no test class, whatever pytest makes of the name

    universes: tuple[str, ...] = Field(("all", "000300.SH", "000905.SH", "000852.SH"), min_length=1)
    conventions: tuple[Convention, ...] = Field(CONVENTIONS, min_length=1)
    horizons: tuple[Days, ...] = Field((5, 10, 15, 20), min_length=1)
    min_names: int = Field(10, ge=2)
    groups: dict[str, Annotated[int, Field(ge=0)]] = Field({"all": 20, "every": 20, "000300.SH": 5})
    other_groups: int = Field(10, ge=0)
    all_share_index: str = "000985.SH"
    tops: tuple[TopName, ...] = ("top10pct", "top100")
    top_every: tuple[Days, ...] = (5, 10, 15, 20)
    top_conventions: tuple[Convention, ...] = ("t0_close", "t1_vwap")
    cost_rate: float = Field(0.0015, ge=0, lt=1)
    delist_haircut: float = Field(0.3, ge=0, le=1)
    group_definitions: Study = "study_b"
    top_definitions: Study = "study_a"
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class ICSeries:
    """Daily information coefficients over one universe, convention, horizon and choice of names.

    Attributes
    ----------
    dates : (K,)
        scored days whose exit lies within the data.
    rows : (K,)
        where they lie in the tested span, to sample every h trading days.
    values : of length K
    """

    universe: str
    convention: Convention
    horizon: int
    names: Names
    dates: Dates
    rows: NDArray[np.intp]
    values: InformationCoefficients

    def record(self, arm: str, seed: int | None, sampling: Sampling) -> dict[str, Any]:
        """Statistics as in `factor_report.json`. Daily samples overlap: the t's lag is horizon − 1, else 0."""
        chosen = np.arange(len(self.rows)) if sampling == "daily" else every(self.rows, self.horizon)
        lag = self.horizon - 1 if sampling == "daily" else 0
        years = years_of(self.dates[chosen])

        def both(kept: NDArray[np.intp]) -> dict[str, Any]:
            return {
                "rank_ic": asdict(summarise(self.values.rank_ic[kept], lag)),
                "ic": asdict(summarise(self.values.ic[kept], lag)),
            }

        return {
            "arm": arm,
            "seed": seed,
            "universe": self.universe,
            "convention": self.convention,
            "horizon": self.horizon,
            "sampling": sampling,
            "names": self.names,
            **both(chosen),
            "by_year": {str(year): both(chosen[years == year]) for year in np.unique(years)},
        }


@dataclass(frozen=True)
class FactorReport:
    """Everything a factor test found.

    Attributes
    ----------
    factor : name of the factor; seed : None = the ensemble
    market : fingerprint of the panel
    span : first and last scored day tested
    series : daily coefficients; groups, tops : with their NAV curves
    autocorrelation : {days between rebalances: mean rank autocorrelation}
    style_correlation : {style: {"mean", "last"}}
    dropped : count a reason, of all that the numbers leave out or treat apart; a reason that is absent counts 0
    """

    factor: str
    seed: int | None
    market: str
    span: tuple[np.datetime64, np.datetime64]
    series: tuple[ICSeries, ...]
    groups: tuple[GroupTest, ...]
    tops: tuple[TopTest, ...]
    autocorrelation: Mapping[int, float]
    style_correlation: Mapping[str, Mapping[str, float]]
    dropped: Mapping[str, int]

    def to_json_dict(self) -> dict[str, Any]:
        """The content of `factor_report.json`; missing = None."""
        samplings: tuple[Sampling, ...] = ("daily", "every_h")
        content = {
            "factor": self.factor,
            "market": self.market,
            "span": [str(day) for day in self.span],
            "records": [s.record(self.factor, self.seed, sampling) for s in self.series for sampling in samplings],
            "groups": [group.record() for group in self.groups],
            "top_n": [top.record() for top in self.tops],
            "autocorrelation": {str(step): value for step, value in self.autocorrelation.items()},
            "style_correlation": {name: dict(values) for name, values in self.style_correlation.items()},
            "dropped": dict(self.dropped),
        }
        plain: dict[str, Any] = _plain(content)
        return plain

    def ic_columns(self) -> dict[str, NDArray[Any]]:
        """The columns of `ic_series.parquet`, all of one length; NaN = no coefficient that day."""
        sizes = [len(s.dates) for s in self.series]
        columns: dict[str, NDArray[Any]] = {"date": np.concatenate([s.dates for s in self.series])}
        for name in ("universe", "convention", "names", "horizon"):
            columns[name] = np.repeat(np.array([getattr(s, name) for s in self.series]), sizes)
        for name in ("ic", "rank_ic", "n"):
            columns[name] = np.concatenate([getattr(s.values, name) for s in self.series])
        return columns

    def group_columns(self) -> dict[str, NDArray[Any]]:
        """The columns of `group_nav.parquet`: each universe's top group (before cost) and its excess over the index."""
        held = [group for group in self.groups if len(group.dates)]
        top = [group.nav[:, -1] for group in held]
        return {
            "date": np.concatenate([np.array([], "datetime64[D]"), *(group.dates for group in held)]),
            "universe": np.repeat(np.array([group.universe for group in held], str), [len(nav) for nav in top]),
            "nav": np.concatenate([np.array([]), *top]),
            "excess_nav": np.concatenate(
                [np.array([]), *(nav / group.benchmark_nav for nav, group in zip(top, held, strict=True))]
            ),
        }


def test_factor(
    scores: Scores,
    panel: Panel,
    universe: Universe,
    settings: TestSettings,
    *,
    batch: Bools,
    styles: Mapping[str, Floats] | None = None,
    seed: int | None = None,
) -> FactorReport:
    """Test a factor.

    Parameters
    ----------
    scores : aligned with `panel` and `universe`
    batch : (T, N) bool
        the universe `all`: who may be scored on the day.
    styles : mapping of name to (T, N)
        exposures to correlate the factor with, by what was known on the day.
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
    window = cut_window(
        scores,
        panel,
        universe,
        batch,
        start=None if settings.start is None else np.datetime64(settings.start, "D"),
        end=None if settings.end is None else np.datetime64(settings.end, "D"),
        reach=1 + max(settings.horizons, default=0),
    )
    first = window.names(settings.universes[0])
    exposures = {k: np.asarray(v[window.rows])[:, window.columns] for k, v in (styles or {}).items()}
    scored = window.scored_rows()
    series, lost_days = _ic_series(window, settings)
    groups, tops = _groups(window, settings), _tops(window, settings)
    dropped = window.dropped | lost_days
    dropped |= {f"groups.{g.universe}.{reason}": n for g in groups for reason, n in g.counts.items()}
    dropped |= {f"tops.{t.convention}.{t.every}.{reason}": n for t in tops for reason, n in t.counts.items()}
    return FactorReport(
        factor=scores.name,
        seed=seed,
        market=panel.fingerprint,
        span=(window.dates[0], window.dates[-1]),
        series=tuple(series),
        groups=tuple(groups),
        tops=tuple(tops),
        autocorrelation={k: autocorrelation(window.scores, first, scored, k) for k in settings.top_every},
        style_correlation=style_correlation(window.scores, first, exposures),
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def _ic_series(window: Window, settings: TestSettings) -> tuple[list[ICSeries], dict[str, int]]:
    """All series, and what they leave out."""
    scored, S = window.scored_rows(), len(window.scores)
    ranks = DenseRanks.of(window.scores)
    masks = {name: window.names(name) for name in settings.universes}
    series, dropped = [], {}
    for convention in settings.conventions:
        tradeable = tradeable_at_entry(window.panel, window.universe, convention)[:S]
        cases: list[tuple[str, Names, Bools]] = []
        for name, mask in masks.items():
            cases += [(name, "all", mask), (name, "tradeable", mask & tradeable)]
        have_score = [(mask & np.isfinite(window.scores)).sum(axis=1) for _, _, mask in cases]
        for horizon in settings.horizons:
            returns = forward_return(window.panel, convention, horizon)[:S]
            rows = scored[scored + entry(convention)[0] + horizon < len(window.panel.dates)]
            dropped[f"days_without_exit.{convention}.{horizon}"] = len(scored) - len(rows)
            found = paired_coefficients(
                window.scores, ranks, returns, [mask for _, _, mask in cases], min_names=settings.min_names
            )
            for k, ((name, kind, _), values) in enumerate(zip(cases, found, strict=True)):
                kept = InformationCoefficients(values.ic[rows], values.rank_ic[rows], values.n[rows])
                series.append(ICSeries(name, convention, horizon, kind, window.dates[rows], rows, kept))
                case = f"{name}.{convention}.{horizon}.{kind}"
                dropped[f"scores_without_return.{case}"] = int(have_score[k][rows].sum() - kept.n.sum())
                dropped[f"days_without_ic.{case}"] = int(np.isnan(kept.rank_ic).sum())
    return series, dropped


def _groups(window: Window, settings: TestSettings) -> list[GroupTest]:
    numbers = {name: settings.groups.get(name, settings.other_groups) for name in settings.universes}
    if not any(numbers.values()):
        return []
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=settings.delist_haircut)
    definitions = PRESETS[settings.group_definitions]
    results = []
    for name, number in numbers.items():
        if number > 0:
            index = settings.all_share_index if name in ("all", "every") else name
            results.append(weekly_groups(window, name, marks, number, index, definitions))
    return results


def _tops(window: Window, settings: TestSettings) -> list[TopTest]:
    if not settings.tops:
        return []
    names = window.names(settings.universes[0])
    definitions = PRESETS[settings.top_definitions]
    results = []
    for convention in settings.top_conventions:
        _, price = entry(convention)
        marks = Marks.of(window.panel, window.universe, price, delist_haircut=settings.delist_haircut)
        for step in settings.top_every:
            results += top_portfolios(
                window, names, marks, convention, step, settings.tops, settings.cost_rate, definitions
            )
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
