"""A run on a simulated market beside the truth."""

from __future__ import annotations

from collections.abc import Mapping

from deepfactor.core.arrays import Bools
from deepfactor.core.files import write_json
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.oracle import ORACLE_HORIZON, oracle_report
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.markets import Market
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import check_oracle, oracle_path, read_oracle


def compare_with_oracle(
    folder: RunFolder, settings: TestSettings, market: Market, arms: Mapping[str, Scores], batch: Bools
) -> None:
    """Write ``oracle.json`` where the market has an oracle beside it; elsewhere remove what another market left."""
    path = oracle_path(market.folder.path)
    check_oracle(path, market.folder.fingerprint)
    found = {h: read_oracle(path, market.panel, h) for h in settings.horizons}
    truth = {h: scores for h, scores in found.items() if scores is not None}
    if not truth:
        (folder.path / "oracle.json").unlink(missing_ok=True)
        return
    visible = read_oracle(path, market.panel, ORACLE_HORIZON, "visible")
    report = oracle_report(truth, visible, arms, market.panel, market.universe, settings, batch=batch)
    write_json(folder.path / "oracle.json", report)
