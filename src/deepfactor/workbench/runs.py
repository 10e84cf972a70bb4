"""Pages of runs: the list, a run by the report's sections, several side by side."""

from __future__ import annotations

from dataclasses import replace

from deepfactor.core.words import Text, joined
from deepfactor.pipeline.comparing import compared
from deepfactor.pipeline.pages import run_lines
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.making import Lost, Maker
from deepfactor.report.page import missing
from deepfactor.report.press.blocks import Block, Drawn, Said, Section, Sentences, Tables
from deepfactor.report.press.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.press.words import words
from deepfactor.report.runs_page import runs_table
from deepfactor.report.sections.base import sections
from deepfactor.report.sections.portfolios import side_by_side
from deepfactor.workbench.pages import Crumb, Page, Press, address, only
from deepfactor.workbench.shelf import NotHere, Shelf

#: Sections of a run's first page; the others have a page each.
_FIRST = ("glance", "summary", "warnings")
RUNS: Crumb = (Text("Runs", "运行"), "/")
_LOST = Text("{part} can't be made of what the run left: {why}", "{part}无法由运行结果生成：{why}")
_NO_REPORT = Text("Without a report, so far or for good: {names}.", "尚无报告：{names}。")


def list_page(shelf: Shelf, press: Press) -> Page:
    """Every run of the folder."""
    names = shelf.names()
    reports = [shelf.runs / name / "report.json" for name in names]
    there = tuple(path for path in reports if path.is_file() and shelf.holds(path))
    stamp = tuple((path.parent.name, path.stat().st_mtime_ns) for path in there)
    table = shelf.made.get(("runs", stamp), lambda: runs_table(run_lines(there), lambda name: address("run", name)))
    blocks: list[Block] = [Tables((table,), 2)] if table is not None else []
    if table is None:
        blocks.append(Said(Text("No run of this folder has a report yet.", "本文件夹内尚无报告。")))
    if without := [name for name in names if name not in {path.parent.name for path in there}]:
        blocks.append(Said(_NO_REPORT.filled(names=", ".join(without)), "note"))
    if len(there) > 1:
        blocks.append(Drawn(press.form("compare.html.j2", names=[path.parent.name for path in there])))
    return Page(Text("Runs", "运行"), [only(*blocks)])


def run_page(shelf: Shelf, name: str, chosen: str | None = None) -> Page:
    """A run's first page, or one `chosen` section of it."""
    content = shelf.content(name)
    lost: list[Lost] = []
    own = address("run", name)
    if chosen is None:
        shown, title, here = _first(content, lost), words().sentence(content.title), own
    else:
        one = _one(content, chosen, name, lost)
        shown, title, here = [replace(one, title=Text(""))], one.title, address("run", name, "section", chosen)
    return Page(
        title,
        [*_problems(lost), *shown],
        [RUNS] if chosen is None else [RUNS, (name, own)],
        _links(content, name),
        here,
        name if chosen is None else "",
        content.simulated,
    )


def compare_page(shelf: Shelf, names: list[str], chosen: str | None = None) -> Page:
    """Runs side by side, by the sections of the comparison's report."""
    folders = [shelf.run(name) for name in names]
    stamp = tuple((folder.path.name, shelf.stamp(folder)) for folder in folders)
    content = shelf.made.get(
        ("compared", stamp), lambda: compared([folder.path for folder in folders], correlated=False)
    )
    lost: list[Lost] = []
    shown = _first(content, lost) if chosen is None else [_one(content, chosen, None, lost)]
    asked = "&".join(address(run=name)[2:] for name in names)
    links = [
        (one, f"/compare?{asked}&section={part}" if part else f"/compare?{asked}") for one, part in _parts(content)
    ]
    here = f"/compare?{asked}" + (f"&section={chosen}" if chosen else "")
    title = Text("Side by side: {names}", "并列比较：{names}").filled(names=" · ".join(names))
    return Page(title, [*_problems(lost), *shown], [RUNS], links, here, simulated=content.simulated)


def portfolio_address(run: str, p: PortfolioContent) -> str:
    """Where a portfolio stands."""
    return address("run", run, "portfolio", p.arm, p.index, p.constraints)


def _first(content: RunContent, lost: list[Lost]) -> list[Section]:
    make = Maker(lost)
    files = sections()
    made = [make.one(files[part].section, content, make, part=part) for part in _FIRST]
    table = missing(content)
    gone = [only(Tables((table,)))] if table is not None else []
    return [*gone, *(one for one in made if one is not None)]


def _one(content: RunContent, chosen: str, run: str | None, lost: list[Lost]) -> Section:
    """One section; that of portfolios leads to a page each."""
    files, make = sections(), Maker(lost)
    if chosen not in files:
        raise NotHere(f"no section {chosen!r}")
    if chosen == "portfolios" and run is not None and content.portfolios:
        both = side_by_side(make, content)
        return Section(files_title(chosen), (*_table(portfolios_table(content, run)), *both), open=True)
    made = make.one(files[chosen].section, content, make, part=chosen)
    if made is None:
        raise NotHere(f"the run has nothing to say in the section {chosen!r}")
    return made


def files_title(chosen: str) -> Text:
    """The title of the section of portfolios, which is made here in part."""
    return Text("Enhanced index", "指数增强") if chosen == "portfolios" else Text(chosen)


def portfolios_table(content: RunContent, run: str) -> Table | None:
    """A row a portfolio, each leading to its page."""
    rows = [
        (
            Cell(p.arm, link=portfolio_address(run, p)),
            *label_cells(words().universe(p.index), p.named),
            *(
                value_cell(p.whole, key, style)
                for key, style in (
                    ("excess", "signed_percent"),
                    ("tracking_error", "percent"),
                    ("information_ratio", "ratio"),
                    ("excess_max_drawdown", "percent"),
                    ("turnover", "percent"),
                )
            ),
        )
        for p in content.portfolios
    ]
    columns = (
        "arm",
        "index",
        "constraints",
        "excess",
        "tracking_error",
        "information_ratio",
        "excess_max_drawdown",
        "turnover",
    )
    note = Text("An arm's name leads to its curves and its signal days.", "点击模型名称查看净值曲线与各信号日。")
    return make("portfolios_of_run", Text("Portfolios", "组合"), columns, rows, note)


def _table(table: Table | None) -> tuple[Block, ...]:
    return () if table is None else (Tables((table,)),)


def _links(content: RunContent, name: str) -> list[Crumb]:
    return [
        (said, address("run", name, "section", part) if part else address("run", name))
        for said, part in _parts(content)
    ]


def _parts(content: RunContent) -> list[tuple[Text, str]]:
    """Titles and names of the section pages that a run has, the first page before them."""
    names = {
        "ic": Text("IC", "IC"),
        "groups": Text("Groups", "分组"),
        "long-side": Text("Long side", "多头端"),
        "tops": Text("Top portfolios", "头部组合"),
        "character": Text("Character", "因子特征"),
        "portfolios": Text("Enhanced index", "指数增强"),
        "active-risk": Text("Risk", "风险"),
        "drivers": Text("Drivers", "驱动因素"),
        "models": Text("Model cards", "模型卡片"),
        "training": Text("Training", "训练"),
        "data": Text("Data", "数据"),
        "made-with": Text("Made with", "运行环境"),
    }
    there = [part for part in sections() if part not in _FIRST and _speaks(content, part)]
    return [(Text("Summary", "摘要"), ""), *((names.get(part, Text(part)), part) for part in there)]


def _speaks(content: RunContent, part: str) -> bool:
    """Has a section something to say? Told without making it."""
    if part in ("portfolios",):
        return bool(content.portfolios)
    if part == "active-risk":
        return any(p.risk is not None for p in content.portfolios)
    if part == "drivers":
        return bool(content.recipes)
    if part == "training":
        return any(arm.training for arm in content.arms)
    if part == "models":
        return any(arm.model_card for arm in content.arms)
    if part == "long-side":
        return any(arm.factor_report.get("long_side") for arm in content.arms)
    return True


def _problems(lost: list[Lost]) -> list[Section]:
    """What could not be made."""
    said = [
        _LOST.filled(part=one.part, why=words().sentence(str(one.error) or type(one.error).__name__)) for one in lost
    ]
    return [only(Sentences(tuple(said), look="warnings"))] if said else []


def portfolio_title(p: PortfolioContent) -> Text:
    """What a portfolio is called."""
    return joined(" · ", [p.arm, words().universe(p.index), p.named])
