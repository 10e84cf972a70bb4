"""The page of a market's data audit. Computes nothing: it sets out what `deepfactor check` found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deepfactor.report.cards import Fact
from deepfactor.report.formats import MISSING, number
from deepfactor.report.html import document
from deepfactor.report.page import defined
from deepfactor.report.tables import Cell, Table, head, label_cells, make
from deepfactor.report.words import Metric, Text, joined, words


def render_audit(audit: Mapping[str, Any], language: str = "en") -> str:
    """One HTML file that needs nothing else, in both languages; `language` is the one shown first.

    Parameters
    ----------
    audit : what `deepfactor.pipeline.checking.check` returns
    """
    text, account = words().text, audit.get("account") or {}
    found = [table for table in (findings(audit), *_by_year(audit)) if table is not None]
    return document(
        "audit.html.j2",
        language,
        title=text["audit_title"].filled(market=audit["market"]),
        audit=audit,
        facts=_facts(audit, account),
        findings=found[0] if found and found[0].id == "findings" else None,
        tables=[table for table in found if table.id != "findings"],
        derived=[words().sentence(item) for item in audit.get("derived", ())],
        not_possible=[words().sentence(item) for item in audit.get("not_possible", ())],
        dropped=_dropped(audit, account),
        notes=[words().sentence(item) for item in account.get("notes", ())],
        metrics=defined(found),
    )


def findings(audit: Mapping[str, Any]) -> Table | None:
    """Errors first: what, where, how often, examples."""
    rows = []
    for one in audit["findings"]:
        where = joined(".", [words().table(one["table"]), *([one["column"]] if one["column"] else [])])
        labels = label_cells(words().text[f"severity.{one['severity']}"], words().finding(one), where)
        rest = label_cells("; ".join(one["examples"]) or MISSING, one["code"])
        rows.append((*labels, Cell(one["count"], "count"), *rest))
    columns = ("severity", "finding", "where", "count", "examples", "finding_code")
    return make("findings", words().text["audit_findings"], columns, rows)


def _facts(audit: Mapping[str, Any], account: Mapping[str, Any]) -> list[Fact]:
    """What was audited."""
    text = words().text
    facts: list[Fact] = [(text["market_name"], str(audit["market"])), (text["fingerprint"], str(audit["fingerprint"]))]
    if account:
        span = text["span_form"].filled(first=account["span"][0], last=account["span"][1])
        facts += [(text["market_source"], words().terms.get(account["source"], Text(account["source"])))]
        facts += [(text["span"], span)]
        facts += [(text[key], number(account[key], "count")) for key in ("stocks", "days")]
    return facts


def _dropped(audit: Mapping[str, Any], account: Mapping[str, Any]) -> Table | None:
    """Rows that the source's account or the panel left out or treats apart, by reason."""
    given = [*account.get("dropped", {}).items(), *audit.get("counts", {}).items()]
    rows = [(*label_cells(words().sentence_or_term(why)), Cell(n, "count")) for why, n in given]
    return make("audit_dropped", words().text["audit_dropped"], ("what", "count"), rows)


def _by_year(audit: Mapping[str, Any]) -> list[Table | None]:
    """The statistics by year; none where the tables themselves are wrong."""
    if "years" not in audit:
        return []
    years = [str(year) for year in audit["years"]]
    return [
        _table("sizes", years, audit["sizes"], "count"),
        _table("stock_days", years, audit["stock_days"], "count"),
        _table("coverage", years, audit["coverage"], "percent"),
        _replicas(audit, years),
        _beyond(audit),
    ]


def _table(name: str, years: Sequence[str], values: Mapping[str, Sequence[float | None]], style: str) -> Table | None:
    rows = [
        (*label_cells(words().term(row)), *(Cell(value, style) for value in by_year)) for row, by_year in values.items()
    ]
    columns: list[str | Metric] = ["audited", *map(head, years)]
    text = words().text
    return make(f"audit_{name}", text[f"audit_{name}"], columns, rows, text[f"audit_{name}_note"])


_REPLICA = (
    ("correlation", "correlation"),
    ("tracking_error", "percent"),
    ("replica_return", "signed_percent"),
    ("index_return", "signed_percent"),
)


def _replicas(audit: Mapping[str, Any], years: Sequence[str]) -> Table | None:
    """How near each index's replica came to it: index × number by year."""
    text = words().text
    rows = [
        (
            *label_cells(words().universe(index), text[f"replica.{name}"]),
            *(Cell(value, style) for value in found[name]),
        )
        for index, found in audit["replicas"].items()
        for name, style in _REPLICA
    ]
    columns: list[str | Metric] = ["index", "audited", *map(head, years)]
    return make("audit_replicas", text["audit_replicas"], columns, rows, text["audit_replicas_note"])


def _beyond(audit: Mapping[str, Any]) -> Table | None:
    """Closes beyond the day's limit by year, board and reason."""
    text = words().text
    reasons = list(audit["beyond"][0]["reasons"]) if audit["beyond"] else []
    rows = [
        (
            *label_cells(one["year"], words().term(one["board"])),
            Cell(one["limited"], "count"),
            *(Cell(n, "count") for n in one["reasons"].values()),
            Cell(one["reasons"]["unexplained"] / max(one["limited"], 1), "small_share"),
        )
        for one in audit["beyond"]
    ]
    columns: list[str | Metric] = ["audit_year", "board", "limited"]
    columns += [*(head(name, words().term(name)) for name in reasons), "share_unexplained"]
    return make("audit_beyond", text["audit_beyond"], columns, rows, text["audit_beyond_note"])
