"""Results as files, and back: factor tests, backtests, the oracle of a simulated market."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepfactor.backtest.active_risk import ActiveRiskFile, RiskAtRebalances
from deepfactor.backtest.attribution import Attribution
from deepfactor.backtest.performance import summary
from deepfactor.backtest.records import CapacityRecord, SummaryFile
from deepfactor.backtest.result import BacktestResult
from deepfactor.core.arrays import AnyArray
from deepfactor.core.checksums import DIFFERS
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import write_json
from deepfactor.core.system import raise_of_machine
from deepfactor.core.words import Sentence
from deepfactor.evaluation.definitions import Study
from deepfactor.evaluation.factor_test import FactorReport
from deepfactor.evaluation.seeds import seed_spread
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.runs.factors import align, read_table
from deepfactor.runs.written import require_written
from deepfactor.store.content import content_hash
from deepfactor.store.parquet import UNREADABLE, parquet_schema, read_parquet, write_parquet

#: In the oracle's file: the fingerprint of its market, the hash of its rows.
_ORACLE_OF, _ORACLE_ROWS = "deepfactor.market", "deepfactor.rows"
_SIMULATE = Sentence("{why}: simulate the market again", "{why}：请重新模拟行情")
_OTHERS_ORACLE = Sentence(
    "is the oracle of another market ({its}, this one is {market}): move it away, or simulate the market again",
    "是另一个市场的真值文件（该市场{its}，本市场{market}）：请移走它，或重新模拟行情",
)


def write_table(path: Path, columns: Mapping[str, AnyArray]) -> None:
    """Write columns (numpy arrays of one length; NaN becomes null) as parquet, atomically."""
    frame = pl.DataFrame({name: _series(name, values) for name, values in columns.items()})
    write_parquet(path, frame)


def _series(name: str, values: AnyArray) -> pl.Series:
    if values.dtype.kind == "U":
        return pl.Series(name, values.tolist(), dtype=pl.String)
    if values.dtype.kind == "M":
        return pl.Series(name, values.astype("datetime64[D]"))
    series = pl.Series(name, values)
    return series.fill_nan(None) if series.dtype.is_float() else series


def write_factor_test(folder: Path, report: FactorReport, seeds: tuple[FactorReport, ...] = ()) -> None:
    """Write ``factor_report.json`` (records of `seeds` behind the ensemble's), daily coefficients and NAVs.

    ``residual_ic_series.parquet`` only where the test knew style sets; one of an earlier test goes."""
    content = report.to_json_dict()
    for seed in seeds:
        content["records"] += seed.to_json_dict()["records"]
    content["seed_spread"] = seed_spread(content["records"])
    write_table(folder / "ic_series.parquet", report.ic_columns())
    residual, columns = folder / "residual_ic_series.parquet", report.residual_columns()
    if columns:
        write_table(residual, columns)
    else:
        residual.unlink(missing_ok=True)
    write_table(folder / "group_nav.parquet", report.group_columns())
    write_json(folder / "factor_report.json", content)


def write_backtest(
    folder: Path,
    result: BacktestResult,
    study: Study,
    attribution: Attribution | None = None,
    *,
    stated: bool = True,
    preset: str | None = None,
    constraints: str = "",
    capacity: CapacityRecord | None = None,
) -> SummaryFile:
    """Write the tables of a backtest and ``summary.json``, which comes last; returns the summary.

    `study` and what follows `attribution`: see `backtest.performance.summary`."""
    for name in ("weights", "trades", "rejected", "relaxations", "binding", "rebalances"):
        write_table(folder / f"{name}.parquet", getattr(result, name).columns())
    curves = {
        "date": result.dates,
        "nav": result.nav,
        "gross_nav": result.gross_nav,
        "benchmark_nav": result.headline_nav,
        "replica_nav": result.replica_nav,
        "excess_nav": result.excess_nav,
        "cash": result.cash,
        "cost": result.cost,
    }
    if result.total_return_nav is not None:
        curves["total_return_nav"] = result.total_return_nav
    write_table(folder / "nav.parquet", curves)
    if attribution is not None:
        write_table(folder / "attribution.parquet", attribution.columns())
        after = np.append(result.rebalances.fill_date, result.dates[-1:])
        write_table(folder / "exposures.parquet", attribution.leanings(after))
    content = summary(
        result, study, attribution, stated=stated, preset=preset, constraints=constraints, capacity=capacity
    )
    write_json(folder / "summary.json", content)
    return content


def write_risk(folder: Path, rows: RiskAtRebalances, content: ActiveRiskFile) -> None:
    """Write ``risk.parquet``, a row a rebalance, and ``risk.json`` of a backtest with a risk model."""
    write_table(folder / "risk.parquet", rows.columns())
    write_json(folder / "risk.json", content)


def read_json(path: Path) -> Any:
    """The content of one of our JSON files; a `DataError` that names it where it is missing or not what was written."""
    require_written(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise_of_machine(error)
        raise DataError(f"can't be read ({error}): repeat the stage that writes it", file=path) from None


def read_frame(path: Path) -> pl.DataFrame:
    """One of our parquet tables; a `DataError` that names it where it is missing or not what was written."""
    require_written(path)
    try:
        return read_parquet(path)
    except UNREADABLE as error:
        raise_of_machine(error)
        raise DataError(f"can't be read ({error}): repeat the stage that writes it", file=path) from None


def oracle_path(market: Path) -> Path:
    """Where a simulated market keeps its truth: beside the folder, so that nothing that reads the market can see it."""
    return market.with_name(f"{market.name}.oracle.parquet")


def write_oracle(path: Path, frame: pl.DataFrame, market: str) -> None:
    """Write the oracle of a simulated market, atomically; with the fingerprint of `market`, and the rows' own."""
    known = {_ORACLE_OF: market, _ORACLE_ROWS: content_hash(frame)}
    write_parquet(path, frame, compression="lz4", statistics=False, metadata=known)


def check_oracle(path: Path, market: str) -> None:
    """The oracle file, where there is one, is that of the market of this fingerprint, and as it was written.

    Raises
    ------
    DataError
        it isn't. One of before it said so is taken as it is.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as handle:  # by a handle: no name is a pattern
            known = pl.read_parquet_metadata(handle)
        whole = known.get(_ORACLE_ROWS) in (None, content_hash(read_parquet(path)))
    except UNREADABLE as error:
        raise DamagedFile(_SIMULATE.format(why=f"can't be read ({error})"), file=path) from None
    if not whole:
        raise DamagedFile(_SIMULATE.format(why=DIFFERS), file=path)
    if known.get(_ORACLE_OF, market) != market:
        raise DataError(_OTHERS_ORACLE.format(its=known[_ORACLE_OF], market=market), file=path)


def read_oracle(path: Path, panel: Panel, horizon: int, part: str | None = None) -> Scores | None:
    """The oracle for `horizon` days as scores aligned with `panel`; None where the file has none for it.

    `part` names a part of alpha, or "visible" for all that prices and volumes show; None is the total.
    """
    if not path.is_file():
        return None
    column = "_".join(["oracle", *([part] if part else []), str(horizon)])
    if column not in parquet_schema(path):
        return None
    frame = read_table(path, {"date": "date", "symbol": "symbol", column: "score"})
    return align(path, frame, panel, name="oracle")
