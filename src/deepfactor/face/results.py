"""What a test, a portfolio or a run has left in its folder: tables, figures, the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from weakref import finalize

import polars as pl

from deepfactor.core.choices import choices
from deepfactor.core.errors import UserError
from deepfactor.face.frames import Frame
from deepfactor.pipeline.pages import load_content
from deepfactor.report.page import Page, page_of
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_frame, read_json
from deepfactor.runs.written import reading_results

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class Scratch:
    """A folder that goes when nobody holds it any more."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="deepfactor-"))
        finalize(self, rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Result:
    """Results on disk. Tables and figures are those of the page.

    Attributes
    ----------
    folder : where they lie
    """

    folder: Path
    _kept: Scratch | None = field(default=None, repr=False, compare=False)

    @property
    def page(self) -> Path:
        """The report, one HTML file."""
        return RunFolder(self.folder).report

    @cached_property
    def _page(self) -> Page:
        return page_of(load_content(RunFolder(self.folder)))

    @property
    def tables(self) -> dict[str, Frame]:
        """Tables of the page by name, numbers as they are: fractions, not percent."""
        return {table.id: Frame(pl.DataFrame(table.records(), strict=False)) for table in self._page.tables()}

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the page's figures."""
        return tuple(figure.id for figure in self._page.all_figures())

    def _repr_html_(self) -> str:
        """What a notebook shows of it: where its page lies, and what can be taken out of it."""
        link = f'<a href="{self.page.absolute().as_uri()}">{escape(str(self.page))}</a>'
        tables = escape(", ".join(table.id for table in self._page.tables()))
        figures = escape(", ".join(self.figures))
        return f"<p><b>{type(self).__name__}</b>: {link}</p><p>figures: {figures}</p><p>tables: {tables}</p>"

    def plot(self, name: str) -> Figure:
        """A figure of the page for a notebook to show; `name` as `figures` has it.

        Raises
        ------
        UserError
            there is none of that name.
        """
        from plotly.graph_objects import Figure  # takes a second

        for figure in self._page.all_figures():
            if figure.id == name:
                return Figure(figure.spec, skip_invalid=True).update_layout(title=str(figure.title))
        raise UserError(f"no figure {name!r}: {choices(name, self.figures)}")

    def _read(self, *parts: str) -> Any:
        with reading_results(self.folder):
            return read_json(self.folder.joinpath(*parts))

    def _frame(self, *parts: str) -> Frame:
        with reading_results(self.folder):
            return Frame(read_frame(self.folder.joinpath(*parts)))


@dataclass(frozen=True)
class TestResult(Result):
    """A factor's test. `name`: of the factor."""

    __test__ = False  # no test of pytest's

    name: str = ""

    @property
    def report(self) -> dict[str, Any]:
        """``factor_report.json``, see docs/conventions.md."""
        content: dict[str, Any] = self._read("arms", self.name, "factor_report.json")
        return content

    @property
    def ic(self) -> Frame:
        """A row a universe, convention, horizon and sampling: RankIC with its ICIR, t and win rate."""
        keys = ("universe", "convention", "horizon", "sampling", "names")
        rows = [
            {**{key: one[key] for key in keys}, **{f"rank_ic_{key}": value for key, value in one["rank_ic"].items()}}
            for one in self.report["records"]
        ]
        return Frame(pl.DataFrame(rows, infer_schema_length=None))

    @property
    def daily(self) -> Frame:
        """Daily coefficients: date, universe, convention, horizon, rank_ic and more."""
        return self._frame("arms", self.name, "ic_series.parquet")


@dataclass(frozen=True)
class EnhanceResult(Result):
    """An index-enhanced portfolio. `place`: its folder below `folder`."""

    place: Path = Path()

    @property
    def summary(self) -> dict[str, Any]:
        """``summary.json``, see docs/conventions.md."""
        with reading_results(self.folder):
            content: dict[str, Any] = read_json(self.place / "summary.json")
        return content

    @property
    def nav(self) -> Frame:
        """By day: NAV of the portfolio, of the index, of the excess; cash and cost in CNY."""
        return self._of("nav")

    @property
    def trades(self) -> Frame:
        """Every fill."""
        return self._of("trades")

    @property
    def weights(self) -> Frame:
        """Weights of every rebalance: target, and as they came to be."""
        return self._of("weights")

    def _of(self, table: str) -> Frame:
        with reading_results(self.folder):
            return Frame(read_frame(self.place / f"{table}.parquet"))


@dataclass(frozen=True)
class RunResult(Result):
    """A trained recipe."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of its arms and combinations."""
        return tuple(one["name"] for one in RunFolder.scored(self._read("recipe.json")))

    def scores(self, arm: str) -> Frame:
        """Scores of an arm: date, symbol, score."""
        return self._frame("arms", arm, "scores.parquet")

    def test(self, arm: str) -> TestResult:
        """The factor test of an arm."""
        return TestResult(self.folder, None, arm)
