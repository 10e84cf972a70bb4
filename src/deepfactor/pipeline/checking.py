"""The data audit of a market: tables and panel together."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepfactor.core.errors import DataError
from deepfactor.core.files import write_text
from deepfactor.core.words import Text
from deepfactor.panel.audit import audit_panel, limitations
from deepfactor.panel.build import describe_panel, open_panel
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.markets import open_market
from deepfactor.report.audit_page import Audit, render_audit
from deepfactor.runs.results import check_oracle, oracle_path
from deepfactor.store.audit import audit_tables
from deepfactor.store.checks import Basis, Finding
from deepfactor.store.folder import MarketFolder


def check(
    market: Path,
    html: Path | None = None,
    console: Console | None = None,
    language: str = "en",
    opening: str | None = None,
) -> Audit:
    """Audit a market folder; with `html`, write a page of it there, `language` (``en``, ``zh``) shown first.

    Tables are audited whole; statistics by year end before a locked holdout, unless `opening` says for what it is
    opened, which is logged: they show what prices and indices did.

    Returns
    -------
    mapping, fit for JSON (missing = None): market, findings (severity, code, table, column, count, message, row,
    examples; errors first), errors (their number), derived, not_possible, counts, and where the tables are sound the
    statistics by year of `deepfactor.panel.audit.PanelAudit`.

    Raises
    ------
    DataError
        no market there.
    """
    console = console or Silent()
    folder = MarketFolder.open(market)
    with step(console, "audited the tables"):
        findings = audit_tables(folder)
    errors = [one for one in findings if one.severity == "error"]
    out: dict[str, object] = {"market": str(market), "fingerprint": folder.fingerprint, "errors": len(errors)}
    if not errors:
        findings += _mended_panel(market) + _oracle(folder)
        out["errors"] = sum(one.severity == "error" for one in findings)
        opened = open_market(market, console, opening=opening)
        with step(console, "audited the panel"):
            audit = audit_panel(opened.panel, opened.universe, adjusted=Basis.of(folder.manifest.source).adjusted)
        findings = [*findings, *audit.findings]
        account = describe_panel(market)
        out |= {
            "account": opened.account(),
            "derived": sorted({*account["derived"], *opened.account()["derived"]}),
            "not_possible": limitations(opened.panel, opened.universe, frozenset(folder.manifest.tables)),
            "counts": dict(account["counts"]),
            **{name: value for name, value in asdict(audit).items() if name != "findings"},
        }
    out["findings"] = [one.record() for one in findings]
    plain: Audit = _without_nan(out)
    if html is not None:
        write_text(html, render_audit(plain, language))
    return plain


def _mended_panel(market: Path) -> list[Finding]:
    """Compare all of the compiled panel with what was built: a finding where it had to be built again."""
    said: list[str] = []
    open_panel(market, said.append, always=True)
    return [Finding("warning", "damaged", "panel", None, 1, Text(text)) for text in said]


def _oracle(folder: MarketFolder) -> list[Finding]:
    """A finding where the oracle beside a market isn't its own, or not what was written."""
    try:
        check_oracle(oracle_path(folder.path), folder.fingerprint)
    except DataError as error:
        return [Finding("error", "damaged", "oracle", None, 1, Text(str(error)))]
    return []


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
