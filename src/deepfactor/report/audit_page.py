"""The page of a market's data audit. Computes nothing: it sets out what `deepfactor check` found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup


def render_audit(audit: Mapping[str, Any]) -> str:
    """One HTML file that needs nothing else.

    Parameters
    ----------
    audit : what `deepfactor.pipeline.checking.check` returns
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("deepfactor.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (files("deepfactor.report") / "assets" / "page.css").read_text(encoding="utf-8")
    sections = _sections(audit) if "years" in audit else []
    return environment.get_template("audit.html.j2").render(audit=audit, sections=sections, style=Markup(style))


def _sections(audit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Title, note, head and rows (text) of each table by year."""
    years = [str(year) for year in audit["years"]]
    return [
        _table("Stocks", "days of trade; stocks listed, traded, scored (default rule) on the median day",
               years, audit["sizes"], "{:,}"),
        _table("Stock-days", "closes at the day's limit; listed but not traded = suspended", years,
               audit["stock_days"], "{:,}"),
        _table("Coverage", "share of traded stock-days that have a value", years, audit["coverage"], "{:.2%}"),
        _table("Index replicas, with dividends, against the published price indices",
               "correlation and tracking error a year of daily returns; returns of the year", years,
               _replicas(audit), "{}"),
        {
            "title": "Closes beyond the day's limit",
            "note": "by year and board; limits are derived from board, date, ST mark and reference price",
            "head": ["year", "board", "stock-days with a limit", *_reasons(audit), "share unexplained"],
            "rows": [
                [str(one["year"]), one["board"], f"{one['limited']:,}", *(f"{n:,}" for n in one["reasons"].values()),
                 f"{one['reasons']['unexplained'] / max(one['limited'], 1):.4%}"]
                for one in audit["beyond"]
            ],
        },
    ]  # fmt: skip


def _replicas(audit: Mapping[str, Any]) -> dict[str, list[str | None]]:
    """A row an index and number."""
    forms = {
        "correlation": "{:.4f}",
        "tracking_error": "{:.2%}",
        "replica_return": "{:+.2%}",
        "index_return": "{:+.2%}",
    }
    return {
        f"{index} {name.replace('_', ' ')}": [None if v is None else form.format(v) for v in found[name]]
        for index, found in audit["replicas"].items()
        for name, form in forms.items()
    }


def _reasons(audit: Mapping[str, Any]) -> list[str]:
    return list(audit["beyond"][0]["reasons"]) if audit["beyond"] else []


def _table(
    title: str, note: str, years: Sequence[str], values: Mapping[str, Sequence[float | str | None]], form: str
) -> dict[str, Any]:
    rows = [[name, *("–" if v is None else form.format(v) for v in by_year)] for name, by_year in values.items()]
    return {"title": title, "note": note, "head": ["", *years], "rows": rows}
