"""Solve a day again: the edited constraints, one process that solves, and the page of what changes."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from deepfactor.core.errors import DeepfactorError, UserError
from deepfactor.core.spec import content_key
from deepfactor.core.words import Text
from deepfactor.pipeline.solving_again import Answer, SolvedAgain, Solver, constraints_text, parse_constraints
from deepfactor.report.press.blocks import Block, Drawn, Said, Section, Sentences, Tables
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make
from deepfactor.report.press.words import Metric, words
from deepfactor.workbench.aside import PATIENCE
from deepfactor.workbench.days import heads
from deepfactor.workbench.pages import Crumb, Page, Press, address, only
from deepfactor.workbench.runs import RUNS, portfolio_address, portfolio_title
from deepfactor.workbench.shelf import Shelf, market_stamp

#: Characters of constraints, at most.
LONGEST = 64_000
#: A weight that changes by less is the same.
CHANGED = 1e-6
#: Rows of the tables of names.
ROWS = 150

_LOST = Text("The process that solves ended; solve again.", "求解进程已结束，请重新求解。")


@dataclass(frozen=True)
class Asked:
    """A day that is solved under a text of constraints; `stamps` of the run and of the market as they were then."""

    run: Path
    place: Path
    day: date
    text: str
    stamps: str

    @property
    def key(self) -> str:
        """The same question has the same answer."""
        return content_key({"place": str(self.place), "day": f"{self.day}", "text": self.text, "of": self.stamps})


_solvers: dict[str, Solver] = {}


def solve(market: Path, asked: Asked) -> SolvedAgain:
    """In the process aside: the market is opened once there, and again where it has grown."""
    stamp = f"{market} {market_stamp(market)}"
    if stamp not in _solvers:
        _solvers.clear()
        _solvers[stamp] = Solver(market)
    return _solvers[stamp].solve_again(asked.run, asked.place, asked.day, parse_constraints(asked.text))


def form_page(
    shelf: Shelf, press: Press, where: tuple[str, str, str, str], day: date, text: str | None = None, problem: str = ""
) -> Page:
    """The constraints of a day to edit; `problem` says what is wrong with an edited `text`."""
    _, place = shelf.portfolio(*where)
    blocks: list[Block] = [Said(problem, "problem")] if problem else []
    blocks.append(_form(press, where, day, constraints_text(place) if text is None else text))
    title = Text("Solve {day} again", "重新求解{day}").filled(day=day)
    return Page(
        title,
        [only(*blocks)],
        _crumbs(shelf, where, day),
        simulated=shelf.content(where[0]).simulated,
        status=422 if problem else 200,
    )


def asked_of(shelf: Shelf, where: tuple[str, str, str, str], day: date, text: str) -> Asked:
    """The question of a form; a `UserError` says what is wrong with its text."""
    if len(text) > LONGEST:
        raise UserError(f"constraints of {len(text):,} characters: at most {LONGEST:,} are read")
    parse_constraints(text)
    folder, place = shelf.portfolio(*where)
    return Asked(folder.path, place, day, text, f"{shelf.stamp(folder)} {shelf.market_stamp()}")


def answer_page(
    shelf: Shelf, press: Press, where: tuple[str, str, str, str], day: date, asked: Asked, answer: Future[SolvedAgain]
) -> Page:
    """What changes, or that it is being solved."""
    title = Text("{day} solved again", "{day}重新求解的结果").filled(day=day)
    crumbs, simulated = _crumbs(shelf, where, day), shelf.content(where[0]).simulated
    form = only(_form(press, where, day, asked.text), title=Text("Constraints", "约束"))
    try:
        solved = answer.result(PATIENCE)
    except NotYet:
        said = Text(
            "Being solved. The first day of a market takes longest: its styles are computed, a minute on all A-shares. "
            "This page looks again by itself.",
            "正在求解。首次求解需计算风格因子，全A股约需一分钟。本页会自动刷新。",
        )
        return Page(title, [only(Said(said))], crumbs, simulated=simulated, refresh=2)
    except BrokenProcessPool:
        return Page(title, [only(Said(_LOST, "problem")), form], crumbs, simulated=simulated, status=409)
    except DeepfactorError as error:
        return Page(title, [only(Said(press.said(error), "problem")), form], crumbs, simulated=simulated, status=422)
    return Page(title, [*_sections(solved, portfolio_of(where)), form], crumbs, simulated=simulated)


def portfolio_of(where: tuple[str, str, str, str]) -> str:
    """The address of a portfolio by its names."""
    run, arm, index, constraints = where
    return address("run", run, "portfolio", arm, index, constraints)


def _form(press: Press, where: tuple[str, str, str, str], day: date, text: str) -> Drawn:
    return Drawn(press.form("solve.html.j2", action=f"{portfolio_of(where)}/day/{day}/solve", text=text))


def _crumbs(shelf: Shelf, where: tuple[str, str, str, str], day: date) -> list[Crumb]:
    p = shelf.portfolio_content(*where)
    own = portfolio_address(where[0], p)
    return [RUNS, (where[0], address("run", where[0])), (portfolio_title(p), own), (str(day), f"{own}/day/{day}")]


_SAME = Text(
    "Solved as it was, the day gives the objective that the backtest wrote: the same problem, from the same book.",
    "按原约束求解得到的目标函数与回测记录一致：为同一问题、同一持仓。",
)
_NOT_SAME = Text(
    "Solved as it was, the day gives {now}, the backtest wrote {then}: the market or the scores have changed "
    "since. What changes below is still by these constraints alone.",
    "按原约束求解的目标函数为{now}，回测记录为{then}：市场数据或得分此后有变。下列变化仍仅由约束引起。",
)
_BEFORE, _AFTER = Text("as it was", "原约束"), Text("edited", "修改后")
_STATUS = {
    "optimal": Text("every bound kept", "满足全部约束"),
    "relaxed": Text("some bounds gave way", "部分约束被放松"),
}


def _sections(solved: SolvedAgain, own: str) -> list[Section]:
    said = (
        _SAME
        if solved.same_problem
        else _NOT_SAME.filled(now=f"{solved.before.objective:.6f}", then=f"{solved.recorded:.6f}")
    )
    tables = (_sizes(solved), _binding(solved), _relaxed(solved))
    first = only(Said(said, "intro"), Tables(tuple(t for t in tables if t is not None), 2))
    changed, prices = _changed(solved, own), _prices(solved, own)
    rest = [only(Tables((table,), 2)) for table in (changed, prices) if table is not None]
    if changed is None:
        rest.insert(0, only(Sentences((Text("No weight changes.", "权重没有变化。"),))))
    return [first, *rest]


def _pair(name: str, style: str, before: float | None, after: float | None) -> tuple[Cell, ...]:
    return (*label_cells(name), Cell(before, style), Cell(after, style))


def _sizes(solved: SolvedAgain) -> Table | None:
    """Both targets in figures."""
    both = (solved.before, solved.after)
    moved = [float(np.abs(one.weights - solved.previous).sum()) for one in both]
    share = [0.5 * float(np.abs(one.weights - solved.benchmark).sum()) for one in both]
    rows = [
        _pair(Text("Objective", "目标函数"), "loss", *(one.objective for one in both)),
        _pair(Text("Names held", "持有股票数"), "count", *(float((one.weights > CHANGED).sum()) for one in both)),
        _pair(Text("Active share", "主动份额"), "percent", *share),
        _pair(Text("Turnover, both sides", "双边换手"), "percent", *moved),
        _pair(Text("Bounds that bind", "起作用的约束"), "count", *(float(len(one.binding)) for one in both)),
        _pair(Text("Bounds not kept", "未满足的约束"), "count", *(float(len(one.relaxations)) for one in both)),
        _pair(Text("Solved in, seconds", "求解用时（秒）"), "ratio", *(one.seconds for one in both)),
    ]
    columns: list[Metric] = [head("what", Text("Target", "目标组合")), head("before", _BEFORE), head("after", _AFTER)]
    return make("solved", Text("What changes", "变化"), columns, rows)


def _binding(solved: SolvedAgain) -> Table | None:
    """Rows of the whole book with a price, in either; those of single stocks are counted."""
    stocks = set(solved.symbols)
    prices = [
        {(b.constraint, b.row): b.shadow_price for b in one.binding if b.row not in stocks}
        for one in (solved.before, solved.after)
    ]
    keys = sorted({*prices[0], *prices[1]}, key=lambda key: -max(abs(p.get(key, 0.0)) for p in prices))
    rows = [
        (
            *label_cells(*map(words().term, key)),
            *(Cell(p.get(key), "loss", missing=Text("does not bind", "不起作用")) for p in prices),
        )
        for key in keys
    ]
    counts = [_stocks_bound(one, stocks) for one in (solved.before, solved.after)]
    for name in sorted({*counts[0], *counts[1]}):
        many = Text("single stocks, how many", "个股约束个数")
        rows.append((*label_cells(words().term(name), many), *(Cell(count.get(name, 0), "count") for count in counts)))
    columns = [*heads("constraint", "row"), head("before", _BEFORE), head("after", _AFTER)]
    note = Text(
        "Shadow prices: what the objective gains per unit that a bound is raised.",
        "影子价格：约束放宽一个单位时目标函数的变化。",
    )
    return make("solved_binding", Text("What binds", "起作用的约束"), columns, rows, note)


def _stocks_bound(one: Answer, stocks: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for b in one.binding:
        if b.row in stocks:
            found[b.constraint] = found.get(b.constraint, 0) + 1
    return found


def _relaxed(solved: SolvedAgain) -> Table | None:
    rows = [
        (
            *label_cells(said, words().term(r.constraint), words().term(r.row)),
            Cell(r.bound, "plain"),
            Cell(r.value, "plain"),
            *label_cells(words().term(r.reason)),
        )
        for said, one in ((_BEFORE, solved.before), (_AFTER, solved.after))
        for r in one.relaxations
    ]
    columns = [head("when", Text("Solved", "求解")), *heads("constraint", "row", "limit", "came_out", "reason")]
    return make("solved_relaxed", Text("Bounds not kept", "未满足的约束"), columns, rows)


def _changed(solved: SolvedAgain, own: str) -> Table | None:
    """Names whose weight changes, the largest change first."""
    change = solved.after.weights - solved.before.weights
    order = np.argsort(-np.abs(change), kind="stable")
    shown = [k for k in order.tolist() if abs(change[k]) > CHANGED]
    rows = [
        (
            Cell(solved.symbols[k], link=f"{own}/stock/{solved.symbols[k]}"),
            Cell(float(solved.score[k]), "ratio"),
            Cell(float(solved.before.weights[k]), "percent"),
            Cell(float(solved.after.weights[k]), "percent"),
            Cell(float(change[k]), "signed_percent"),
            Cell(float(solved.benchmark[k]), "percent"),
            Cell(float(solved.previous[k]), "percent"),
            *label_cells(solved.industry[k] or "–"),
        )
        for k in shown[:ROWS]
    ]
    columns = [
        *heads("symbol"),
        head("z", Text("Score (z)", "得分（z）")),
        head("before", _BEFORE),
        head("after", _AFTER),
        head("change", Text("Change", "变化")),
        *heads("benchmark", "drifted", "industry"),
    ]
    note = Text("{n} weights change; the largest {most} are shown.", "共{n}个权重变化，列出最大的{most}个。").filled(
        n=len(shown), most=min(len(shown), ROWS)
    )
    return make("solved_changes", Text("Weights that change", "变化的权重"), columns, rows, note)


def _prices(solved: SolvedAgain, own: str) -> Table | None:
    """Why this weight: a name's score less what the binding rows of the edited problem charge a unit of it."""
    one = solved.after
    families = list(one.charges)
    net = solved.score - sum(one.charges.values(), np.zeros(len(solved.score)))
    order = np.argsort(-solved.score, kind="stable")[:ROWS]
    rows = [
        (
            Cell(solved.symbols[k], link=f"{own}/stock/{solved.symbols[k]}"),
            Cell(float(solved.score[k]), "ratio"),
            *(Cell(-float(one.charges[name][k]), "signed") for name in families),
            Cell(float(net[k]), "ratio"),
            Cell(float(one.weights[k]), "percent"),
            Cell(float(one.weights[k] - solved.benchmark[k]), "signed_percent"),
        )
        for k in order.tolist()
    ]
    columns = [
        *heads("symbol"),
        head("z", Text("Score (z)", "得分（z）")),
        *(head(name, words().term(name)) for name in families),
        head("net", Text("After prices", "扣除后")),
        *heads("weight", "active"),
    ]
    note = Text(
        "A score less what the binding rows charge a unit of the stock: what is bought has the "
        "highest of these, as far as its own bound and the turnover let it.",
        "得分减去起作用的约束对单位持仓收取的影子价格：在个股与换手约束之内，买入的是扣除后最高的股票。",
    )
    return make(
        "solved_prices",
        Text("Why this weight: scores after the prices of what binds", "权重由来：扣除约束影子价格后的得分"),
        columns,
        rows,
        note,
    )
