"""A run on a simulated market beside the truth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from deepfactor.core.files import file_hash, write_json
from deepfactor.core.words import Sentence
from deepfactor.evaluation.oracle import ORACLE_HORIZON, oracle_report
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.runs.done import Outcome
from deepfactor.runs.results import check_oracle, oracle_path, read_oracle

NAME, GROUP = "oracle", "tests"
MANY = Sentence("comparisons with the oracle", "与真值的比较")
READS = ("scores", "combination")
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One, over all arms with scores."""
    file, truth = work.folder.path / "oracle.json", oracle_path(work.market.folder.path)
    arms = work.scored
    reads = {
        "scores": [[arm, work.content(arm)["scores"]] for arm in arms],
        "oracle": file_hash(truth) if truth.exists() else None,
        "test": work.recipe.test.model_dump(mode="json"),
        "universe": work.recipe.universe.model_dump(mode="json"),
    }
    yield Unit(", ".join(arms), file, reads, [file], partial(_compare, work, arms, file))


def _compare(work: Work, arms: list[str], file: Path) -> Outcome:
    """Write the comparison where the market has an oracle beside it; elsewhere remove what another market left."""
    market, settings = work.market, work.recipe.test
    path = oracle_path(market.folder.path)
    check_oracle(path, market.folder.fingerprint)
    by_horizon = {h: read_oracle(path, market.panel, h) for h in settings.horizons}
    truth = {h: scores for h, scores in by_horizon.items() if scores is not None}
    if not truth:
        file.unlink(missing_ok=True)
        return Outcome()
    visible = read_oracle(path, market.panel, ORACLE_HORIZON, "visible")
    ensembles = {arm: work.scores(arm).ensemble for arm in arms}
    write_json(
        file, oracle_report(truth, visible, ensembles, market.panel, market.universe, settings, eligible=work.eligible)
    )
    return Outcome()
