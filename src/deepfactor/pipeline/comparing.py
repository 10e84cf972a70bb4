"""Several runs side by side: arms in one report, correlation of scores, paired differences of RankIC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.files import write_json
from deepfactor.core.words import Sentence
from deepfactor.evaluation.character import model_correlation
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.pages import load_content, write_report
from deepfactor.pipeline.pairs import paired_differences, paired_portfolios
from deepfactor.pipeline.places import require_outside
from deepfactor.report.content import ArmContent, RunContent
from deepfactor.runs.environment import EnvironmentFile
from deepfactor.runs.factors import read_table
from deepfactor.runs.failures import read_failures
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.written import is_there, reading_results

_DIFFER = Sentence("Runs differ in their market data: {prints}", "各运行的市场数据不同：{prints}")


def compare(runs: Sequence[Path], out: Path, language: str = "en") -> Path:
    """Write ``report.html``, ``report.json``, ``report.xlsx`` and ``comparison.json`` of `runs` into `out`.

    An arm is named ``run/arm`` where two runs have arms of one name. Scores are correlated over the stocks and days
    that both have; for the differences see `paired_differences`.

    Returns
    -------
    the page's path

    Raises
    ------
    DataError
        fewer than two runs, one that is not there, is damaged or has no report, a simulated market beside a real one,
        or an `out` that holds a run.
    """
    require_outside(out)
    folder = RunFolder(out)
    if folder.recipe.is_file():
        raise DataError("holds a run, which a comparison would replace: give another --out", file=out)
    content = compared(runs)
    with reading_results(*runs):
        write_report(folder, content, language)
    write_json(folder.path / "comparison.json", {"correlation": content.correlation, "paired": list(content.paired)})
    return folder.report


def compared(runs: Sequence[Path], *, correlated: bool = True) -> RunContent:
    """One content of all arms and portfolios of `runs`; the scores are read where they are to be `correlated`.

    Raises
    ------
    DataError
        as `compare`.
    """
    if len(runs) < 2:
        raise DataError(f"a comparison takes at least two runs, got {len(runs)}")
    if len({path.resolve() for path in runs}) < len(runs):
        raise DataError(f"a run is compared with itself: {', '.join(map(str, runs))}")
    folders = [RunFolder.open(path) for path in runs]
    with reading_results(*runs):
        contents = [_whole_content(one) for one in folders]
        if len({content.simulated for content in contents}) > 1:
            raise DataError("a simulated market beside a real one: their numbers can't be compared")
        return _joined(folders, contents, correlated)


def _whole_content(folder: RunFolder) -> RunContent:
    """A run's results; a `DataError` where one is damaged that hadn't failed before."""
    content = load_content(folder)
    known = read_failures(folder)
    for one in content.missing:
        if one not in known:
            raise DataError(one.message)
    return content


def _joined(folders: Sequence[RunFolder], contents: Sequence[RunContent], correlated: bool) -> RunContent:
    """One content of all arms and portfolios, each under its new name."""
    arms: list[ArmContent] = []
    portfolios = []
    scores: dict[str, pl.DataFrame] = {}
    for label, folder, content in zip(_labels(folders), folders, contents, strict=True):
        clash = {a.name for a in content.arms} & {
            a.name for other in contents if other is not content for a in other.arms
        }
        named = {a.name: f"{label}/{a.name}" if a.name in clash else a.name for a in content.arms}
        arms += [replace(arm, name=named[arm.name]) for arm in content.arms]
        portfolios += [replace(p, arm=named[p.arm]) for p in content.portfolios]
        for arm in content.arms if correlated else ():
            file = folder.arm(arm.name) / "scores.parquet"
            if is_there(file):
                scores[named[arm.name]] = read_table(file)
    names = " · ".join(content.name for content in contents)
    return RunContent(
        name=names,
        title=" · ".join(dict.fromkeys(content.title for content in contents)),
        recipe={},
        environment=_environment(contents),
        arms=tuple(arms),
        portfolios=tuple(portfolios),
        warnings=_warnings(contents),
        correlation=_correlation(scores),
        paired=tuple(paired_differences(arms)),
        paired_portfolios=tuple(paired_portfolios({(p.index, p.constraints, p.arm): p.nav for p in portfolios})),
        recipes={label: one.recipe for label, one in zip(_labels(folders), contents, strict=True)},
    )


def _labels(folders: Sequence[RunFolder]) -> list[str]:
    """Folders' names; numbered where two have the same."""
    names = [folder.path.resolve().name for folder in folders]
    return [f"{name}#{k + 1}" if names.count(name) > 1 else name for k, name in enumerate(names)]


def _environment(contents: Sequence[RunContent]) -> EnvironmentFile:
    """That of the first run, less what holds for it alone."""
    first = contents[0].environment
    return {"versions": first.get("versions", {}), "machine": first.get("machine", {}), "market": first["market"]}


def _warnings(contents: Sequence[RunContent]) -> tuple[str, ...]:
    prints = {str(content.environment["market"].get("fingerprint")): None for content in contents}
    differ = [_DIFFER.format(prints=", ".join(prints))] if len(prints) > 1 else []
    return tuple(dict.fromkeys([*differ, *(warning for content in contents for warning in content.warnings)]))


def _correlation(frames: dict[str, pl.DataFrame]) -> dict[str, dict[str, float | None]]:
    """Mean over days of the rank correlation of each pair, over what both score."""
    if not frames:
        return {}
    keys = pl.concat([frame.select("date", "symbol") for frame in frames.values()])
    dates, symbols = (keys[column].unique().sort() for column in ("date", "symbol"))
    shape = (len(dates), len(symbols))
    aligned = {}
    for name, frame in frames.items():
        values = np.full(shape, np.nan)
        # Row and column of a score: its place among the sorted unique dates and symbols.
        values[dates.search_sorted(frame["date"]).to_numpy(), symbols.search_sorted(frame["symbol"]).to_numpy()] = (
            frame["score"].to_numpy()
        )
        aligned[name] = Scores(name, dates.to_numpy(), symbols.to_numpy().astype(str), values)
    return model_correlation(aligned, np.ones(shape, dtype=bool))
