"""Verbs of markets: simulate, fetch, ingest, check."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from deepfactor.cli.helping import Verb
from deepfactor.cli.options import (
    Json,
    Language,
    LanguageOption,
    OpenHoldout,
    app,
    day_option,
    head,
    listed,
    opening,
    show,
    terminal,
)
from deepfactor.core.kind import recipe_error

if TYPE_CHECKING:
    from deepfactor.pipeline.checking_results import ResultsCheck
    from deepfactor.report.audit_page import Audit


@app.command(cls=Verb)
def simulate(
    market: Annotated[Path, typer.Argument(help="market folder to write")],
    stocks: Annotated[int, typer.Option(help="securities ever listed")] = 300,
    start: Annotated[date, day_option("first day")] = date(2018, 1, 2),
    end: Annotated[date, day_option("last day")] = date(2023, 12, 29),
    seed: int = 0,
    alpha: Annotated[float, typer.Option(help="0 = null market: nothing to be found")] = 1.0,
    only: Annotated[str, typer.Option(help="parts of alpha, comma separated")] = "",
    as_json: Json = False,
) -> None:
    """Write a simulated market, and MARKET.oracle.parquet beside it."""
    from deepfactor.pipeline import markets
    from deepfactor.sources.simulated import Settings

    try:
        settings = Settings(stocks=stocks, start=start, end=end, seed=seed, alpha=alpha, only=listed(only) or None)
    except ValidationError as error:
        raise recipe_error(error, "simulate") from None
    account = markets.simulate(market, settings, terminal()).account()
    show(account, as_json, f"{market}: {account['stocks']} stocks, {account['days']} days")


@app.command(cls=Verb)
def fetch(
    vendor: Annotated[str, typer.Argument(help="whom to ask: tushare, baostock")],
    lake: Annotated[Path, typer.Argument(help="folder to keep the answers in; ingest makes a market of it")],
    since: Annotated[date, day_option("first day")],
    until: Annotated[date | None, day_option("last day, if not today")] = None,
    tables: Annotated[str, typer.Option(help="the vendor's names, comma separated, if not the usual ones")] = "",
    indices: Annotated[str, typer.Option(help="whose weights and levels, as 000905.SH, comma separated")] = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="file of mode 600 with the token, if not in the environment")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="another address of the vendor's")] = None,
    a_minute: Annotated[int | None, typer.Option("--a-minute", min=1, help="calls a minute that are allowed")] = None,
    may_be_empty: Annotated[
        str, typer.Option("--may-be-empty", help="tables of which an answer without rows is taken as it is")
    ] = "",
    by_stock: Annotated[
        bool, typer.Option("--by-stock", help="statements stock by stock: slow, but for fewer points")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask a vendor for its data since a day, and keep the answers as received. Safe to repeat, and to kill."""
    from deepfactor.pipeline import fetching

    chosen = fetching.FetchOptions(
        tables=listed(tables),
        until=until,
        indices=listed(indices),
        token_file=token_file,
        url=url,
        a_minute=a_minute,
        may_be_empty=listed(may_be_empty),
        by_stock=by_stock,
    )
    account = fetching.fetch(vendor, lake, since, chosen, terminal())
    calls = ", ".join(f"{api} {n:,}" for api, n in account["fetched"].items()) or "nothing new"
    show(account, as_json, f"{lake}: {calls}; {account['rows']:,} rows; {account['answers']:,} answers in all")


@app.command(cls=Verb)
def ingest(
    source: Annotated[
        str,
        typer.Argument(help="TOML that names the source's kind and settings; or a shipped one: tushare_csv, qlib, …"),
    ],
    market: Annotated[Path, typer.Argument(help="market folder to write")],
    folder: Annotated[Path | None, typer.Option("--folder", help="where the source's files lie")] = None,
    accept_revisions: Annotated[
        bool, typer.Option("--accept-revisions", help="take history that the source changed since, and log it")
    ] = False,
    allow_code: Annotated[
        bool,
        typer.Option("--allow-code", help="trust SOURCE: kinds from outside deepfactor, files anywhere, any query"),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a vendor's files or database into a market folder, or the days that it doesn't have yet. Safe to repeat."""
    from deepfactor.pipeline import markets

    console = terminal()
    opened = markets.ingest(source, market, folder, console, accept_revisions=accept_revisions, allow_code=allow_code)
    account, warnings = opened.account(), opened.warnings()
    lines = [f"{market}: {account['stocks']} stocks, {account['days']} days, {' to '.join(account['span'])}"]
    lines += [f"dropped: {reason}: {count}" for reason, count in account["dropped"].items()]
    lines += [f"derived: {what}" for what in account["derived"]]
    lines += [f"note: {text}" for text in account["notes"]]
    lines += [f"warning: {text}" for text in warnings]
    show({**account, "warnings": warnings}, as_json, *lines)


@app.command(cls=Verb)
def check(
    market: Annotated[Path, typer.Argument(help="market folder; or a run's, one of runs, or a lake")],
    html: Annotated[Path | None, typer.Option("--html", help="write a page of it to this file")] = None,
    open_holdout: OpenHoldout = False,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Audit a market's data: findings, coverage, limits, replicas. Exit code 2 if there are errors.

    Of runs, trained jobs and lakes: whether all files are what was written.
    """
    from deepfactor.pipeline.checking import check as audit
    from deepfactor.pipeline.checking_results import check_lake, check_results, holds_results, is_lake

    if is_lake(market) or holds_results(market):
        if html is not None:
            raise typer.BadParameter("a page is made of a market's audit, not of results", param_hint="--html")
        compare = check_lake if is_lake(market) else check_results
        _compared(compare(market, terminal()), as_json)
        return
    audited = audit(market, html, terminal(), language, opening(open_holdout))
    lines = [
        f"{one['severity']}: {one['code']} in {one['table']}: {one['message']} ({one['count']:,})"
        + "".join(f"\n    {example}" for example in one["examples"])
        for one in audited["findings"]
    ]
    lines += [f"dropped: {why}: {n:,}" for why, n in audited.get("account", {}).get("dropped", {}).items()]
    lines += [f"derived: {what}" for what in audited.get("derived", ())]
    lines += [f"not possible: {what}" for what in audited.get("not_possible", ())]
    lines += [f"counted: {why}: {n:,}" for why, n in audited.get("counts", {}).items()]
    lines += _replica_lines(audited) if audited.get("replicas") else []
    show(audited, as_json, *(lines or ["nothing found"]), *([f"page: {html}"] if html else []))
    if audited["errors"]:
        raise typer.Exit(2)


@app.command("reconcile-market", cls=Verb)
def reconcile_market(
    a: Annotated[Path, typer.Argument(help="a market folder")],
    b: Annotated[Path, typer.Argument(help="another one, of other data on the same stocks")],
    html: Annotated[Path | None, typer.Option("--html", help="write a page of it to this file")] = None,
    worst: Annotated[int, typer.Option(min=0, help="stocks that are named of each quantity")] = 10,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Two markets beside each other: where prices, factors, limits, ST, halts, industries, members differ, by year."""
    from deepfactor.pipeline import market_pair

    record = market_pair.reconcile_market(a, b, html, terminal(), language, worst)
    show(dict(record), as_json, *market_pair.lines(record), *([f"page: {html}"] if html else []))


def _compared(checked: ResultsCheck, as_json: bool) -> None:
    """Show what became of comparing results with their checksums."""
    lines = [f"{one['severity']}: {one['code']} {one['table']}: {one['message']}" for one in checked["findings"]]
    show(checked, as_json, *lines, f"{checked['compared']:,} files compared, {checked['errors']:,} damaged")
    if checked["errors"]:
        raise typer.Exit(2)


def _replica_lines(audit: Audit) -> list[str]:
    """How near each index's replica came to it, a line a year."""
    lines = ["index replicas, with dividends, against the published price indices"]
    lines += [
        head(("index", -11), ("year", 5), ("tracking error", 16), ("correlation", 13), ("replica", 10), ("index", 10))
    ]
    forms = {"tracking_error": "16.2%", "correlation": "13.4f", "replica_return": "+10.2%", "index_return": "+10.2%"}
    for index, replica in audit["replicas"].items():
        for i, year in enumerate(audit["years"]):
            if replica["correlation"][i] is not None:
                numbers = "".join(format(replica[name][i], form) for name, form in forms.items())
                lines.append(f"{index:<11}{year:>5}{numbers}")
    return lines
