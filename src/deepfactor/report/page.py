"""The report: everything that a run left, as one HTML page, as JSON and as a workbook of the same tables and figures.

All are made from the same sections, so they can't differ. None reads a clock: the same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from deepfactor.core.json import JsonRecord
from deepfactor.core.words import Text, joined
from deepfactor.report.content import RunContent
from deepfactor.report.making import Lost, Maker
from deepfactor.report.press.blocks import Section
from deepfactor.report.press.drawing import Figure, Plot
from deepfactor.report.press.facts import span
from deepfactor.report.press.formats import strict
from deepfactor.report.press.html import document
from deepfactor.report.press.tables import NOT_SAME, Table, defined, label_cells, make
from deepfactor.report.press.words import words
from deepfactor.report.press.workbook import workbook
from deepfactor.report.sections._definitions import definition_of_portfolio
from deepfactor.report.sections.base import sections
from deepfactor.report.sections.portfolios import portfolio_id

FORMAT = 1
"""Version of `report_json`'s shape."""

SIMULATED_NOTE = Text(
    "Every price, company and return on this page is made up by a program. The numbers show that "
    "the machinery works and say nothing about real stocks.",
    "本页所有价格、公司与收益均由程序生成，只说明流程可以运行，与真实股票无关。",
)
MISSING_NOTE = Text(
    "These parts of the run could not be made; the page shows what there is. The same command tries them again.",
    "下列部分未能生成，本页展示已有的结果；再次执行同一命令会重新尝试。",
)
SOURCE = Text(
    "Source: arms' scores on {market}, {span}; made by deepfactor.",
    "来源：各模型得分，{market}，{span}；deepfactor制图。",
)
#: Parts of a run that may be missing.
STAGES = {
    "scores": Text("Scores", "得分"),
    "combination": Text("Combination", "因子合成"),
    "factor_test": Text("Factor test", "因子检验"),
    "correlation": Text("Correlation of arms", "模型相关性"),
    "paired": Text("Paired differences", "配对差异"),
    "oracle": Text("Comparison with the oracle", "与真值比较"),
    "styles": Text("Styles", "风格因子"),
    "portfolio": Text("Portfolio", "组合回测"),
    "placebo": Text("Placebo band", "安慰剂区间"),
    "seed_portfolio": Text("Portfolios by seed", "各种子的组合"),
    "paired_portfolio": Text("Portfolios side by side", "组合两两比较"),
    "page": Text("Section of this page", "本页章节"),
    "workbook": Text("Workbook", "工作簿"),
}


@dataclass(frozen=True)
class Page:
    """A run's sections by anchor, in order; `missing` stands at the head of the first."""

    content: RunContent
    sections: Mapping[str, Section]
    missing: Table | None

    def tables(self) -> list[Table]:
        """All tables in the order of the page."""
        first = [] if self.missing is None else [self.missing]
        return [*first, *(table for one in self.sections.values() for table in one.tables())]

    def all_figures(self) -> list[Figure]:
        """All figures in the order of the page."""
        return [figure for one in self.sections.values() for figure in one.figures()]

    def sentences(self) -> dict[str, list[str]]:
        """All lists of sentences that have a name."""
        return {name: said for one in self.sections.values() for name, said in one.sentences().items()}


def page_of(content: RunContent, lost: list[Lost] | None = None) -> Page:
    """All sections of a run; with a list `lost`, parts that can't be made are added to it and left out."""
    make = Maker(lost)
    laid_out = {name: make.one(file.section, content, make, part=name) for name, file in sections().items()}
    kept = {name: section for name, section in laid_out.items() if section is not None}
    return Page(content, kept, missing(content))


def with_missing(page: Page, content: RunContent) -> Page:
    """The same page of a content that now knows more of what is missing."""
    return replace(page, content=content, missing=missing(content))


def missing(content: RunContent) -> Table | None:
    """What of the run isn't there, and why."""
    rows = [
        label_cells(STAGES.get(one.stage) or words().term(one.stage), one.what, words().sentence(one.message))
        for one in content.missing
    ]
    return make(
        "missing", Text("Missing parts", "缺失部分"), ("part", "what_missing", "why_missing"), rows, MISSING_NOTE
    )


def render(content: RunContent, language: str = "en", page: Page | None = None) -> str:
    """The page: one self-contained HTML file that needs no network, in both languages; `language` is shown first.

    `page` = `content` laid out already, maybe with parts that are lost; here and below.
    """
    page = page or page_of(content)
    market = content.environment["market"]
    return document(
        "page.html.j2",
        language,
        figures=page.all_figures(),
        page=page,
        content=content,
        title=words().sentence(content.title),
        metrics=defined(page.tables()),
        market={"source": market.get("source"), "span": market.get("span")},
        source=source_line(content),
    )


def render_workbook(content: RunContent, page: Page | None = None) -> bytes:
    """The file ``report.xlsx``."""
    notes = [NOT_SAME, *([SIMULATED_NOTE] if content.simulated else [])]
    return workbook(content.title, notes, source_line(content), (page or page_of(content)).tables())


def report_json(content: RunContent, page: Page | None = None) -> JsonRecord:
    """The page's numbers: fractions, missing = null, the study's number under ``<metric>_published``; strict JSON."""
    page = page or page_of(content)
    said = page.sentences()
    result = {
        "format": FORMAT,
        "name": content.name,
        "title": content.title,
        "simulated": content.simulated,
        "published_note": NOT_SAME,
        "arms": [{"name": arm.name, "published": arm.published} for arm in content.arms],
        "portfolios": _portfolios(content),
        "market": dict(content.environment["market"]),
        "warnings": list(content.warnings),
        "cautions": said.pop("cautions", []),
        "missing": [asdict(one) for one in page.content.missing],
        "test_spans": [list(span) for span in _spans(content)],
        "tables": {table.id: table.records() for table in page.tables()},
        "notes": {table.id: table.note for table in page.tables() if table.note},
        "drivers": said.pop("drivers", []),
        "figures": {figure.id: _series(figure) for figure in page.all_figures()},
        **({"said": said} if said else {}),
    }
    return dict(strict(result))


def _portfolios(content: RunContent) -> list[JsonRecord]:
    return [
        {
            "id": portfolio_id(k),
            "arm": p.arm,
            "index": p.index,
            "constraints": p.constraints,
            "name": p.named,
            "trades": p.trades,
            "definition": definition_of_portfolio(p),
        }
        for k, p in enumerate(content.portfolios)
    ]


def _series(figure: Figure) -> list[Plot]:
    drawn = ("name", "x", "y", "z")
    return [{key: trace[key] for key in drawn if key in trace} for trace in figure.spec["data"]]


def source_line(content: RunContent) -> Text:
    """Where figures and tables come from."""
    spans = [span(ends) for ends in _spans(content)]
    market = content.environment["market"]
    named = words().name(market.get("name") or market.get("source") or "–")
    return SOURCE.filled(market=named, span=joined(" · ", spans) if spans else "–")


def _spans(content: RunContent) -> list[tuple[str, ...]]:
    """Test spans of the arms, each once."""
    spans = [arm.factor_report.get("span") for arm in content.arms]
    return list(dict.fromkeys(tuple(map(str, span)) for span in spans if span))
