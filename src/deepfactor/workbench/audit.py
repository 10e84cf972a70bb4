"""The page of the data audit: what `deepfactor check` finds, made in the process aside."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path

from deepfactor.core.words import Text
from deepfactor.pipeline.checking import check
from deepfactor.report.audit_page import Audit, by_year, dropped, facts, findings
from deepfactor.report.press.blocks import Block, Facts, Heading, Said, Sentences, Tables
from deepfactor.report.press.tables import Table
from deepfactor.report.press.words import words
from deepfactor.store.folder import MarketFolder
from deepfactor.workbench.aside import PATIENCE
from deepfactor.workbench.pages import Page, only

_MAKING = Text(
    "The market is being audited, which takes a minute on all A-shares. This page looks again by itself.",
    "正在审计市场数据，全A股约需一分钟。本页会自动刷新。",
)
TITLE = Text("Data audit", "数据审计")


def key_of(market: Path) -> str:
    """Changes when the market does."""
    return f"audit-{MarketFolder.open(market).fingerprint}"


def audit_page(answer: Future[Audit]) -> Page:
    """What was found, or that it is being looked for."""
    try:
        audit = answer.result(PATIENCE)
    except NotYet:
        return Page(TITLE, [only(Said(_MAKING))], refresh=3)
    account = audit.get("account") or {}
    found = findings(audit)
    none = Said(Text("Nothing found.", "没有发现问题。"))
    data: list[Block] = [Facts(tuple(facts(audit, account)))]
    lists = (
        (
            Text("Derived, not delivered", "推导所得（非原始数据）"),
            [words().derived(one) for one in audit.get("derived", ())],
        ),
        (
            Text("Not possible, or bounded, with this market", "本市场数据无法支持或受限的内容"),
            [words().sentence(one) for one in audit.get("not_possible", ())],
        ),
        (Text("Notes", "说明"), [words().sentence(one) for one in account.get("notes", ())]),
    )
    for said, items in lists:
        data += [Heading(said), Sentences(tuple(items))] if items else []
    data += _tables([dropped(audit, account)])
    years = _tables(by_year(audit))
    sections = [only(*(_tables([found]) or [none])), only(*data, title=Text("Data", "数据"))]
    sections += [only(*years, title=Text("By year", "分年度统计"))] if years else []
    return Page(TITLE, sections, simulated=bool(account.get("simulated")))


def audit(market: Path) -> Audit:
    """In the process aside."""
    return check(market)


def _tables(made: list[Table | None]) -> list[Block]:
    there = tuple(table for table in made if table is not None)
    return [Tables(there)] if there else []
