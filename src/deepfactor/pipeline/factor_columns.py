"""A file with several factors, a column each: every one tested, all in one run's folder and on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfactor.evaluation.factor_test import FactorReport, TestSettings, test_factor
from deepfactor.evaluation.window import require_scores
from deepfactor.pipeline.attempts import Attempts
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.conventions import with_known_prices
from deepfactor.pipeline.factor import open_factor, report_of, writing_run
from deepfactor.pipeline.markets import Market, StyleSets
from deepfactor.pipeline.names import named_test
from deepfactor.pipeline.places import require_outside
from deepfactor.runs.environment import write_environment
from deepfactor.runs.factors import Reading, RowAccount
from deepfactor.runs.results import write_factor_test
from deepfactor.styles.base import ROOM as STYLES

#: What no folder can be called.
_NO_NAME = str.maketrans({"/": "_", "\\": "_", "\0": "_"})
#: Bytes that a name of a folder may have.
_LONGEST = 120


@dataclass(frozen=True)
class TestedColumn:
    """A factor's test, and what became of its rows."""

    report: FactorReport
    rows: RowAccount


def test_columns(
    path: Path,
    names: Sequence[str],
    market: Market,
    out: Path,
    settings: TestSettings,
    reading: Reading,
    console: Console | None = None,
    language: str = "en",
) -> dict[str, TestedColumn]:
    """Test each of the factors `names` of the file `path`, one after the other; writes an arm a factor and one page.

    Returns
    -------
    by the arm's name, which is the column's but for what no folder can be called. One that fails is left out, and
    stands in ``failures.json``.
    """
    console = console or Silent()
    require_outside(out)
    settings = named_test(settings, market)
    settings, left_out = with_known_prices(settings, market.panel)
    for text in left_out:
        console.say(text)
    arms, styles, tested = dict(zip(arm_names(names), names, strict=True)), StyleSets(market), {}
    asked = {"test": settings.model_dump(mode="json")}
    with writing_run(out, list(arms), path.stem, asked, console) as (folder, stages):
        attempts = Attempts(folder, console)
        with stages.stage("factor test"):
            for arm, column in arms.items():
                place, said = folder.tests(arm), step(console, f"tested {column}")
                with attempts.attempt("factor_test", arm, *place), said:
                    factor = open_factor(path, market, None, reading, column)
                    require_scores(factor.scores, market.panel, settings.start, settings.end)
                    sets = ((kind, styles.of(STYLES.choose(kind))) for kind in STYLES.kinds())
                    report = test_factor(
                        factor.scores, market.panel, market.universe, settings, eligible=factor.eligible, styles=sets
                    )
                    write_factor_test(folder.arm(arm), report)
                    tested[arm] = TestedColumn(report, factor.rows)
        attempts.write()
        write_environment(folder.environment, market.account(), [*market.warnings(), *left_out], stages)
    report_of(folder, console, language)
    return tested


def arm_names(columns: Sequence[str]) -> list[str]:
    """Columns' names as those of folders, each another but for capitals."""
    names: list[str] = []
    for column in columns:
        plain = column.translate(_NO_NAME).strip().lstrip(".") or "factor"
        plain = plain.encode()[:_LONGEST].decode(errors="ignore")
        taken = {one.casefold() for one in names}
        number = next(n for n in range(1, len(columns) + 2) if _numbered(plain, n).casefold() not in taken)
        names.append(_numbered(plain, number))
    return names


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}#{number}"
