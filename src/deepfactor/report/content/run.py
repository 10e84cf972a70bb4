"""What a report shows, as plain values: the files of a run, loaded.

The mappings have the shape of the run's JSON files (``factor_report.json``, ``summary.json``, ``environment.json``; see
``docs/conventions.md``), the frames that of its parquet files. A missing number is null / None, or NaN in a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from deepfactor.backtest.active_risk import ActiveRiskFile
from deepfactor.backtest.placebo import PlaceboFile
from deepfactor.backtest.records import PairedPortfolio, Parts, SeedsFile, SpanRecord, SummaryFile
from deepfactor.core.errors import DataError
from deepfactor.evaluation.records import FactorFile, GroupRecord, ICRecord, OracleFile, PairedEntry
from deepfactor.runs.environment import EnvironmentFile
from deepfactor.runs.failures import Failure
from deepfactor.runs.layout import RecipeFile
from deepfactor.store.trials import Deflated
from deepfactor.training.records import ModelCard, TrainingFile

IC_COLUMNS = ("date", "universe", "convention", "horizon", "rank_ic")
NAV_COLUMNS = ("date", "nav", "benchmark_nav", "excess_nav")


@dataclass(frozen=True)
class ArmContent:
    """One arm: how its score was made and how it did. A tested factor file is an arm without training.

    Attributes
    ----------
    published : where the study's numbers stand, as ``"study_b/decomp_gru_ic"``; None where there is no such model.
    model_card, training : empty where nothing was trained.
    factor_report : as ``factor_report.json``.
    ic_series : date, universe, convention, horizon, rank_ic and more; all names, the ensemble's score.
    group_nav : optional: date, universe, nav (top group, starting near 1), excess_nav; group_1 … of every group.
    residual_series : optional: as `ic_series` with set: of what that style set and the industries leave of the score.
    """

    name: str
    published: str | None
    model_card: ModelCard
    training: TrainingFile
    factor_report: FactorFile
    ic_series: pl.DataFrame
    group_nav: pl.DataFrame | None = None
    residual_series: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        _need(self.ic_series, IC_COLUMNS, f"ic_series of arm {self.name}")

    @property
    def records(self) -> list[ICRecord]:
        """The factor report's records, in the file's order."""
        return list(self.factor_report.get("records", ()))

    def record(
        self, universe: str, horizon: int, convention: str, *, names: str = "all", seed: int | None = None
    ) -> ICRecord | None:
        """The record of one test, of the ensemble or of a seed; None where it was not made. See `pick`."""
        return pick(self.records, universe, horizon, convention, names=names, seed=seed)

    def group(self, universe: str) -> GroupRecord | None:
        """The group test in one universe, None where there is none."""
        return next((g for g in self.factor_report.get("groups", ()) if g["universe"] == universe), None)


@dataclass(frozen=True)
class PortfolioContent:
    """One index-enhanced backtest.

    Attributes
    ----------
    summary : as ``summary.json``: ``{"all": {…}, "by_year": {"2019": {…}}}`` and whatever else it says.
    nav : date, nav, benchmark_nav, excess_nav, and where known replica_nav, cash.
    relaxations : date, constraint, bound, value: every bound that had to give way; empty if none had.
    rejected : reason -> number of orders.
    trades : number of trades; None where unknown.
    attribution : optional: date, part, name, contribution, as ``attribution.parquet``.
    weights, filled : of the last rebalance that was filled, rows of ``weights.parquet`` and ``trades.parquet``; None
        where unknown.
    exposures, rebalances : as the files of these names; None where unknown.
    risk : as ``risk.json``; None where the constraints have no risk model.
    placebo : optional: as ``placebo.json``, the band of random scores. seeds : optional: as ``seeds.json``.
    """

    arm: str
    index: str
    constraints: str
    summary: SummaryFile
    nav: pl.DataFrame
    relaxations: pl.DataFrame
    rejected: Mapping[str, int] = field(default_factory=dict)
    trades: int | None = None
    attribution: pl.DataFrame | None = None
    weights: pl.DataFrame | None = None
    filled: pl.DataFrame | None = None
    exposures: pl.DataFrame | None = None
    rebalances: pl.DataFrame | None = None
    risk: ActiveRiskFile | None = None
    placebo: PlaceboFile | None = None
    seeds: SeedsFile | None = None

    def __post_init__(self) -> None:
        _need(self.nav, NAV_COLUMNS, f"nav of {self.arm} on {self.index}")

    @property
    def whole(self) -> SpanRecord:
        """The whole span's numbers."""
        return self.summary["all"]

    @property
    def parts(self) -> Parts:
        """Where the active return of the whole span comes from; empty where that is not known."""
        attribution = self.summary.get("attribution")
        return attribution["all"] if attribution else {}

    @property
    def named(self) -> str:
        """The constraint set's own name, or that of its file."""
        return str(self.summary.get("constraints") or self.constraints)


@dataclass(frozen=True)
class RunContent:
    """One run, whole.

    Attributes
    ----------
    recipe : as resolved; empty where several runs are compared.
    environment : only ``market.simulated`` must be there.
    oracle : a simulated market's own signal, tested like an arm: ``records`` as in ``factor_report.json``, and
        ``correlation``, arm -> mean daily cross-sectional correlation with its score.
    correlation : arm -> arm -> mean daily rank correlation of their scores.
    paired : as ``paired.json``: each arm beside each other one, means over the days that both have.
    paired_portfolios : as ``paired_portfolios.json``: each portfolio beside each other one on its index.
    trials : as ``trials.json``: its results among all trials of the market when they were made.
    missing : what of the run isn't there, and why.
    recipes : of compared runs, by run.
    """

    name: str
    title: str
    recipe: RecipeFile
    environment: EnvironmentFile
    arms: tuple[ArmContent, ...]
    portfolios: tuple[PortfolioContent, ...] = ()
    oracle: OracleFile | None = None
    warnings: tuple[str, ...] = ()
    correlation: Mapping[str, Mapping[str, float | None]] | None = None
    paired: tuple[PairedEntry, ...] = ()
    paired_portfolios: tuple[PairedPortfolio, ...] = ()
    trials: tuple[Deflated, ...] = ()
    missing: tuple[Failure, ...] = ()
    recipes: Mapping[str, RecipeFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A made-up market must never pass for a real one because someone forgot a key.
        if not isinstance(self.environment.get("market", {}).get("simulated"), bool):
            raise DataError(f"run {self.name}: environment.market.simulated must say true or false")

    @property
    def simulated(self) -> bool:
        """Is the market made up?"""
        return bool(self.environment["market"]["simulated"])

    def universes(self) -> list[str]:
        """Universes tested by any arm, in the order of the reports."""
        return list(dict.fromkeys(r["universe"] for arm in self.arms for r in arm.records))

    def horizons(self) -> list[int]:
        """Horizons tested by any arm, ascending, in trading days."""
        return sorted({int(r["horizon"]) for arm in self.arms for r in arm.records})

    @property
    def lead(self) -> str:
        """The universe of the first page: all stocks, or the first that was tested."""
        tested = self.universes()
        return "all" if "all" in tested or not tested else tested[0]

    @property
    def main(self) -> str:
        """The convention of the first page: Study B's close to close from t+1, or the first that was tested."""
        tested = self.conventions()
        return "t1_close" if "t1_close" in tested or not tested else tested[0]

    def conventions(self) -> list[str]:
        """Conventions tested by any arm, in the order of the reports."""
        return list(dict.fromkeys(r["convention"] for arm in self.arms for r in arm.records))


def pick(
    records: Iterable[ICRecord],
    universe: str,
    horizon: int,
    convention: str,
    *,
    names: str = "all",
    seed: int | None = None,
) -> ICRecord | None:
    """The record of one test, the daily sampling where there are several; None where there is none."""
    wanted = (universe, horizon, convention, names, seed)
    matching = [
        record
        for record in records
        if (record["universe"], record["horizon"], record["convention"], record["names"], record.get("seed")) == wanted
    ]
    return min(matching, key=lambda record: record.get("sampling") != "daily", default=None)


def _need(frame: pl.DataFrame, columns: tuple[str, ...], what: str) -> None:
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise DataError(f"{what} lacks {', '.join(missing)}; it has {', '.join(frame.columns) or 'no columns'}")
