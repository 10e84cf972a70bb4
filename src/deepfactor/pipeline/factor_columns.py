"""A file with several factors, a column each: every one tested, all in one folder and on one page, by an engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from deepfactor.evaluation.factor_test import FactorReport, TestSettings, test_factor
from deepfactor.evaluation.window import require_scores
from deepfactor.panel.panel import rows_between
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.attempts import Attempts
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.conventions import with_known_prices
from deepfactor.pipeline.factor import open_factor, report_of, writing_run
from deepfactor.pipeline.factor_tests import FACTOR_TESTS, WHOLE
from deepfactor.pipeline.ground import Ground, ScoresOf
from deepfactor.pipeline.markets import Market, StyleSets
from deepfactor.pipeline.names import named_test
from deepfactor.pipeline.places import require_outside
from deepfactor.pipeline.sharing import Part, Shared, each, seen_from_afar
from deepfactor.runs.environment import write_environment
from deepfactor.runs.factors import Reading, RowAccount
from deepfactor.runs.results import write_factor_test
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.training.engines.base import Engine
from deepfactor.training.engines.processes import Processes

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
    engine: Engine = Processes(),
) -> dict[str, TestedColumn]:
    """Test each of the factors `names` of the file `path`, by `engine`; writes an arm a factor and one page.

    Returns
    -------
    by the arm's name, which is the column's but for what no folder can be called. One that fails is left out, and
    stands in ``failures.json``.
    """
    console = console or Silent()
    path, out = seen_from_afar(engine, path), seen_from_afar(engine, out)
    require_outside(out)
    settings = named_test(settings, market)
    settings, left_out = with_known_prices(settings, market.panel)
    for text in left_out:
        console.say(text)
    arms, tested = dict(zip(arm_names(names), names, strict=True)), dict[str, TestedColumn]()
    ground = Ground(
        market, market.universe.eligible(UniverseRule()), StyleSets(market), partial(ScoresOf.read, panel=market.panel)
    )
    rows = rows_between(market.panel.dates, settings.start, None)
    seconds = WHOLE * (rows.stop - rows.start) * len(market.panel.symbols)
    asked = {"test": settings.model_dump(mode="json")}
    with writing_run(out, list(arms), path.stem, asked, console) as (folder, stages):
        attempts = Attempts(folder, console)
        with stages.stage("factor test"):
            parts = [
                Part(arm, partial(_test, path, column, folder.arm(arm), settings, reading), seconds)
                for arm, column in arms.items()
            ]
            shared = Shared(folder.path, rows, [STYLES.choose(kind) for kind in STYLES.kinds()])
            with closing(each(ground, parts, shared, engine, console, FACTOR_TESTS)) as made:
                for arm, get in zip(arms, made, strict=True):
                    with attempts.attempt("factor_test", arm, *folder.tests(arm)):
                        tested[arm] = cast(TestedColumn, get())
        attempts.write()
        write_environment(folder.environment, market.account(), [*market.warnings(), *left_out], stages)
    report_of(folder, console, language)
    return tested


def _test(
    path: Path,
    column: str,
    place: Path,
    settings: TestSettings,
    reading: Reading,
    ground: Ground,
    console: Console,
) -> TestedColumn:
    market = ground.market
    with step(console, f"tested {column}"):
        factor = open_factor(path, market, None, reading, column)
        require_scores(factor.scores, market.panel, settings.start, settings.end)
        sets = ((kind, ground.sets.of(STYLES.choose(kind))) for kind in STYLES.kinds())
        report = test_factor(
            factor.scores, market.panel, market.universe, settings, eligible=ground.eligible, styles=sets
        )
        write_factor_test(place, report)
    return TestedColumn(report, factor.rows)


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
