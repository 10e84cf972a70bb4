"""The page as a browser would read it: complete, self-contained, escaped, the same as its JSON."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import plotly.graph_objects as go
import polars as pl
import pytest

from deepfactor.core.errors import DataError, RecipeError
from deepfactor.evaluation.definitions import PRESETS
from deepfactor.report.content import ArmContent
from deepfactor.report.page import page_of, render, report_json

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


class Reader(HTMLParser):
    """Collects tags with their attributes, the cells of every table by its id, scripts and the page's text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, list[list[str]]] = {}
        self.scripts: list[str] = []
        self.text = ""
        self.published: dict[str, list[str]] = {}
        self._table, self._inside, self._published = "", "", False
        self._chinese = False  # the page holds each word in both languages; English is read
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append("")
        if tag == "figure" and given.get("class") == "table":
            self._table = str(given["id"])
            self.rows[self._table], self.published[self._table] = [], []
        if tag in ("span", "text") and "zh" in str(given.get("class")).split():
            self._chinese = True
        if tag == "tr" and self._table:
            self.rows[self._table].append([])
        if tag in ("td", "th") and self._table:
            self.rows[self._table][-1].append("")
        self._published = given.get("class") == "published"

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = ""
        if tag in ("script", "style"):
            self._inside = ""
        if tag in ("span", "text"):
            self._published = self._chinese = False

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside and not self._chinese:
            self.text += data
            if self._published:
                self.published[self._table].append(data)
            elif self._table and self.rows[self._table] and self.rows[self._table][-1]:
                self.rows[self._table][-1][-1] += data.strip()


@pytest.fixture(scope="module")
def html(content):
    return render(content)


@pytest.fixture(scope="module")
def page(html):
    return Reader(html)


def test_headline_shows_our_numbers_with_the_studys_beside(page):
    rows = page.rows["headline_factor"]
    assert rows[1] == ["gru", "0.111", "0.118", "1.01", "72.2%", "+30.30%", "+35.30%", "0.580", "0.660"]
    assert rows[2] == ["decomp_gru", "0.119", "0.126", "1.08", "73.8%", "+30.30%", "+35.30%", "0.610", "0.690"]
    assert rows[3][:3] == ["Oracle", "0.170", "0.170"]
    study_b = ["0.125", "0.136", "0.99", "86.0%", "+38.53%", "0.130", "0.141", "1.10", "88.0%", "+43.10%"]
    assert page.published["headline_factor"] == study_b


def test_headline_of_portfolios(page):
    gru, decomp = page.rows["headline_portfolio"][1:]
    numbers = ["+10.42%", "+8.93%", "+9.68%", "5.61%", "1.86", "−6.12%", "30.4%"]
    numbers += ["−2.00%", "+4.00%", "+10.42%", "1.00%", "2"]
    assert "Excess of study_b by Study B's definition: annualised ratio of NAVs, 252 trading days a year" in page.text
    assert gru == ["gru", "CSI 500", "study_b", *numbers]
    assert decomp == ["decomp_gru", "CSI 500", "study_b", *numbers]
    assert not page.published["headline_portfolio"]  # Study B enhances with DecompGRU-MSE, which is not here


@pytest.mark.slow
def test_study_b_s_portfolio_numbers_stand_beside_decomp_gru_mse_alone(content, make_content):
    arms = tuple(replace(a, published=f"study_b/{a.name}_mse") for a in content.arms)
    gru, decomp = Reader(render(make_content(arms=arms))).rows["headline_portfolio"][1:]
    read = Reader(render(make_content(arms=arms)))
    assert gru[3:] == decomp[3:]
    assert read.published["headline_portfolio"] == ["+11.65%", "5.88%", "−9.79%", "34.0%"]
    assert "its numbers stand beside that arm alone" in read.text
    own = [replace(p, summary={**p.summary, "preset": None}) for p in content.portfolios]
    mine = Reader(render(make_content(arms=arms, portfolios=tuple(own))))
    assert not mine.published["headline_portfolio"]  # a file named like the study is not the study's


def test_an_excess_says_its_definition_and_the_study_s_stands_beside_its_own_form(page, content):
    top = page.rows["top_group"]
    assert [row[2] for row in top[1:5]] == ["Equal-weighted universe", "Cap-weighted universe (derived)"] * 2
    assert top[1][-2:] == ["+28.30%", "+30.30%"]
    assert top[2][-2:] == ["+33.30%", "+35.30%"]
    printed = {cell.published for table in page_of(content).sections["groups"].tables() if table.id == "top_group"
               for row in table.rows if row[2].value != "Equal-weighted universe" for cell in row[-2:]}  # fmt: skip
    assert {0.3853, 0.431} < printed  # chart 13, in the column of differences, beside what has weights
    notes = report_json(content)["notes"]
    for name in ("top_by_year", "headline_portfolio", "portfolio_1_by_year"):
        assert "annualised ratio of NAVs, 252 trading days a year" in notes[name], name
    assert "by Study A's definition: difference of annualised returns, calendar time" in notes["top_n"]
    assert "dividends included" in notes["top_group"]


def test_an_excess_of_another_definition_stands_beside_no_printed_number(content, make_content):
    report = content.arms[0].factor_report
    groups = [{**g, "definitions": PRESETS["study_a"].model_dump()} for g in report["groups"]]
    tops = [{**t, "definitions": PRESETS["study_b"].model_dump()} for t in report["top_n"]]
    arm = replace(content.arms[0], factor_report={**report, "groups": groups, "top_n": tops})
    found = {table.id: table for table in page_of(make_content(arms=(arm,))).tables()}
    assert not found["top_by_year"].has_published
    assert "difference of cumulative returns" in found["top_by_year"].note
    study_a = replace(arm, published="study_a/composite")
    found = {table.id: table for table in page_of(make_content(arms=(study_a,))).tables()}
    assert not found["top_n"].has_published


def test_results_of_an_earlier_version_say_that_they_state_no_definition(content, make_content):
    old = {k: v for k, v in content.portfolios[0].summary.items() if k not in ("definition_stated", "preset")}
    groups = [{k: v for k, v in g.items() if k != "definitions"} for g in content.arms[0].factor_report["groups"]]
    arm = replace(content.arms[0], factor_report={**content.arms[0].factor_report, "groups": groups})
    run = make_content(arms=(arm,), portfolios=(replace(content.portfolios[0], summary=old),))
    notes = report_json(run)["notes"]
    assert "these results do not state" in notes["headline_portfolio"]
    assert "these results do not state" in notes["top_by_year"]


def test_published_numbers_are_marked_as_other_data(html, page):
    assert "Not the same data" in page.text
    marked = [given for tag, given in page.tags if given.get("class") == "published"]
    assert marked
    assert all("Not the same data" in str(given["title"]) for given in marked)


def test_nothing_is_loaded_from_outside(html, page):
    for tag, given in page.tags:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            value = given.get(name)
            assert value is None or value.startswith(("#", "data:")), f"<{tag} {name}={value}>"
    style = html[html.index("<style>") : html.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    policy = next(given for tag, given in page.tags if tag == "meta" and "http-equiv" in given)
    assert str(policy["content"]).startswith("default-src 'none'")


def test_plotly_is_inlined_once_and_only_with_figures(html, make_content):
    assert html.count("plotly.js (cartesian - minified) v") == 1
    bare = [_without_numbers(arm) for arm in make_content().arms]
    assert "plotly.js (" not in render(make_content(arms=tuple(bare), portfolios=(), oracle=None))


def test_dates_of_several_lines_stand_once_and_come_back_as_they_were(html, content):
    """As `page.js` puts them back."""
    (axes,) = re.findall(r'<script type="application/json" data-axes>(.*?)</script>', html)
    axes = json.loads(axes)
    assert axes
    assert max(html.count(json.dumps(axis, separators=(",", ":"))) for axis in axes) == 1
    given = dict(re.findall(r'<script type="application/json" data-figure="(.*?)">(.*?)</script>', html))
    for figure in page_of(content).all_figures():
        spec = json.loads(given[figure.id])
        del spec["words"]
        for trace in spec["data"]:
            if isinstance(trace.get("x"), dict):
                trace["x"] = axes[trace["x"]["axis"]]
        assert spec == json.loads(json.dumps(figure.spec))


def test_every_section_link_has_its_section(page):
    ids = {given["id"] for _, given in page.tags if "id" in given}
    links = {str(given["href"]) for tag, given in page.tags if tag == "a"}
    assert len(links) >= 10
    assert {link[1:] for link in links} <= ids


def test_figures_are_valid_for_plotly_and_drawn_where_they_belong(content, page):
    figures = page_of(content).all_figures()
    places = [given["id"] for _, given in page.tags if given.get("class") == "plot"]
    assert places == [figure.id for figure in figures]
    assert len(set(places)) == len(places) >= 14
    for figure in figures:
        go.Figure(figure.spec)  # raises on a property that plotly.js doesn't know


def test_the_page_and_the_json_show_the_same_tables(content, page):
    tables = report_json(content)["tables"]
    assert "headline_factor" in tables
    assert set(page.rows) == set(tables)
    for name, records in tables.items():
        assert len(page.rows[name]) - 1 == len(records), name
    first = tables["headline_factor"][0]
    assert first["rank_ic_10"] == pytest.approx(0.111)
    assert first["rank_ic_10_published"] == 0.125
    assert tables["top_group"][1]["annual_excess_difference_published"] == 0.3853


def test_json_is_strict_and_missing_is_null(make_content, content):
    broken = content.portfolios[0].nav.with_columns(pl.lit(math.nan).alias("excess_nav"))
    whole = {**content.portfolios[0].summary["all"], "calmar": math.nan, "excess": math.inf}
    hurt = replace(content.portfolios[0], nav=broken, summary={**content.portfolios[0].summary, "all": whole})
    result = report_json(make_content(portfolios=(hurt,)))
    text = json.dumps(result, allow_nan=False)
    assert json.loads(text) == result
    assert result["tables"]["headline_portfolio"][0]["excess"] is None
    assert set(result["figures"]["portfolio_1_excess"][0]["y"]) == {None}
    assert len(result["figures"]["portfolio_1_excess"][0]["y"]) == broken.height
    assert Reader(render(make_content(portfolios=(hurt,)))).rows["headline_portfolio"][1][3] == "–"


def test_names_cannot_break_out_of_the_page(content, make_content, page):
    arm = content.arms[0]
    bad = replace(
        arm,
        name=HOSTILE,
        model_card={**arm.model_card, "kind": HOSTILE, "layers": [{"name": HOSTILE, "parameters": 1}]},
        factor_report={**arm.factor_report, "dropped": {HOSTILE: 1}},
    )
    portfolio = replace(content.portfolios[0], arm=HOSTILE, constraints=HOSTILE, rejected={HOSTILE: 3})
    hostile = make_content(
        name=HOSTILE, title=HOSTILE, arms=(bad, content.arms[1]), portfolios=(portfolio, content.portfolios[1]),
        warnings=(HOSTILE,), recipe={HOSTILE: HOSTILE}, correlation={HOSTILE: {HOSTILE: 1.0}},
    )  # fmt: skip
    read = Reader(render(hostile))
    assert len(read.scripts) == len(page.scripts)
    assert not any("onerror" in given for _, given in read.tags)
    assert {tag for tag, _ in read.tags} <= {tag for tag, _ in page.tags}
    assert HOSTILE in read.text
    drawn = [json.loads(s) for s in read.scripts if s.startswith('{"data"')]
    assert drawn[0]["data"][0]["name"] == HOSTILE


def test_a_factor_file_alone_renders(content, make_content):
    tested = ArmContent("reversal_20", None, {}, {}, content.arms[0].factor_report, content.arms[0].ic_series)
    run = make_content(arms=(tested,), portfolios=(), oracle=None, correlation=None, recipe={}, warnings=())
    read = Reader(render(run))
    assert read.rows["headline_factor"][1] == ["reversal_20", "0.111", "0.118", "1.01", "72.2%", "+30.30%", "+35.30%"]
    ids = {given.get("id") for _, given in read.tags}
    assert not ids & {"models", "portfolios", "training", "headline_portfolio"}
    assert not any(read.published.values())
    assert "Not the same data" not in read.text


def test_a_run_without_any_result_renders(content, make_content):
    bare = tuple(_without_numbers(arm) for arm in content.arms)
    read = Reader(
        render(
            make_content(
                arms=bare, portfolios=(), oracle=None, correlation=None, environment={"market": {"simulated": False}}
            )
        )
    )
    assert [row[1:] for row in read.rows["headline_factor"][1:]] == [["–"] * 5] * 2
    titles = {given.get("title") for tag, given in read.tags if tag == "td"}
    assert titles - {None} == {"not part of this run"}


def test_null_statistics_render_with_their_reason(content, make_content):
    report = dict(content.arms[0].factor_report)
    nothing = dict.fromkeys(("mean", "std", "icir", "win_rate", "t_newey_west"))
    report["records"] = [{**r, "rank_ic": {**nothing, "n": 0}, "ic": {**nothing, "n": 0}} for r in report["records"]]
    report["groups"] = [{**g, "annual_return": [None] * g["n"], "top": None, "by_year": {}, "also": {}}
                        for g in report["groups"]]  # fmt: skip
    arm = replace(content.arms[0], factor_report=report)
    read = Reader(render(make_content(arms=(arm,), portfolios=(), oracle=None)))
    assert read.rows["headline_factor"][1] == ["gru", *["–"] * 5]
    assert any("not defined" in str(given.get("title")) for tag, given in read.tags if tag == "td")


def test_banner_says_what_the_market_is(html, content, make_content):
    assert "Every price, company and return on this page is made up" in html
    market = {**content.environment["market"], "simulated": False, "source": "ashare_parquet"}
    real = render(make_content(environment={**content.environment, "market": market}))
    assert "on this page is made up" not in real
    assert "ashare_parquet, 2012-01-04 to 2020-12-31" in real


def test_a_run_must_say_whether_its_market_is_simulated(make_content):
    with pytest.raises(DataError, match=r"market\.simulated must say"):
        make_content(environment={"market": {"source": "x"}})


def test_long_lists_of_relaxed_bounds_are_cut_with_their_number(content, make_content):
    many = pl.concat([content.portfolios[0].relaxations] * 30)
    read = Reader(render(make_content(portfolios=(replace(content.portfolios[0], relaxations=many),))))
    assert len(read.rows["portfolio_1_relaxations"]) - 1 == 40
    assert "The first 40 of 60" in read.text
    none = replace(content.portfolios[0], relaxations=many.clear(), rejected={})
    text = Reader(render(make_content(portfolios=(none,)))).text
    assert "No bound had to be relaxed" in text
    assert "No order was refused" in text


def test_same_content_same_bytes(html, make_content):
    assert render(make_content()) == html


def test_unknown_published_reference_is_refused(content, make_content):
    arm = replace(content.arms[0], published="study_b/decomp_gru")
    with pytest.raises(RecipeError, match="study_b/decomp_gru_ic"):
        render(make_content(arms=(arm,)))


def test_frames_without_their_columns_are_refused(content):
    with pytest.raises(DataError, match="ic_series of arm gru lacks rank_ic"):
        replace(content.arms[0], ic_series=content.arms[0].ic_series.drop("rank_ic"))
    with pytest.raises(DataError, match="excess_nav"):
        replace(content.portfolios[0], nav=content.portfolios[0].nav.drop("excess_nav"))


def _without_numbers(arm: ArmContent) -> ArmContent:
    return ArmContent(arm.name, None, {}, {}, {}, arm.ic_series.clear())
