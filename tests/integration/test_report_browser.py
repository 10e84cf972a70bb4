"""The report in a real headless Chromium: it draws, sorts, switches language, fits a telephone, asks nobody.

Without a Chromium these are skipped, which says so; on Debian: ``apt-get install chromium fonts-noto-cjk``.
"""

from __future__ import annotations

import shutil
from datetime import date
from itertools import count
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from support.browser import Tab, browse, chromium
from support.cli import deepfactor
from support.results import read

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium here: nobody has looked at the report")

VISITS = count()
SPAN = (date(2019, 7, 1), date(2020, 12, 31))


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    profile = tmp_path_factory.mktemp("profile")
    with browse(profile) as browser:
        yield browser.tab()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module")
def real_report(real_data, tmp_path_factory) -> Path:
    """A quarter's scores of a plain factor, minus the 20-day return, tested and enhanced on real data."""
    from deepfactor.panel.build import open_panel
    from deepfactor.sources.base import fetch_all
    from deepfactor.sources.tables import Settings, open_source
    from deepfactor.store.folder import write_market

    place = tmp_path_factory.mktemp("real_report")
    source = open_source(Settings(mapping="ashare_parquet"), real_data)
    write_market(place / "market", dict(fetch_all(source, *SPAN)), source=source.describe())
    panel, _ = open_panel(place / "market")
    close = panel["close"].astype(float) * panel["adj_factor"].astype(float)
    t = np.arange(len(panel.dates) - 120, len(panel.dates) - 60)
    values = -(close[t] / close[t - 20] - 1.0)
    day, stock = np.nonzero(np.isfinite(values))
    dates = panel.dates[t].astype("datetime64[D]")
    frame = pl.DataFrame({"date": dates[day], "symbol": panel.symbols[stock].astype(str), "score": values[day, stock]})
    frame.write_parquet(place / "reversal.parquet")
    verb = ("enhance", place / "reversal.parquet", "--market", place / "market", "--out", place / "out")
    result = deepfactor(*verb, "--index", "000905.SH")
    assert result.code == 0, result.err
    return place / "out" / "report.html"


def look(tab: Tab, page: Path, width: int, language: str = "en") -> None:
    """Open a page at a width; nothing may complain, nothing may be asked for but the page."""
    tab.size(width, touch=width < 500)
    # Another query is another address: a mere change of the hash, or none, would load nothing.
    tab.open(f"{page.as_uri()}?{next(VISITS)}#{language}")
    assert tab.complaints() == []
    asked = [address for address in tab.requests() if not address.startswith(("data:", "blob:"))]
    assert [address.split("?")[0] for address in asked] == [page.as_uri()]


def drawn(tab: Tab) -> list[bool]:
    """For each figure, whether something stands in it."""
    bars_or_lines = ".points path, .scatterlayer path, .heatmaplayer image, .heatmaplayer .hm"
    script = f"[...document.querySelectorAll('.plot')].map(p => p.querySelectorAll('{bars_or_lines}').length > 0)"
    return list(tab.evaluate(script))


def holds_together(tab: Tab, page: Path, *, figures: bool = True) -> None:
    for width in (1280, 390):
        for language in ("en", "zh"):
            look(tab, page, width, language)
            beyond = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert beyond == 0, f"{width} px, {language}: {beyond} px too wide"
            shown = drawn(tab)
            assert bool(shown) == figures
            assert all(shown)


@pytest.mark.slow
def test_the_small_runs_report_holds_together(tab, main_job):
    holds_together(tab, main_job.run / "report.html")


@pytest.mark.slow
def test_the_audits_page_holds_together_and_speaks_both_languages(tab, main_job, tmp_path):
    page = tmp_path / "audit.html"
    assert deepfactor("check", main_job.market, "--html", page).code == 0
    holds_together(tab, page, figures=False)
    look(tab, page, 390)
    assert tab.evaluate("document.querySelector('h1').innerText").startswith("Data audit of")
    tab.evaluate("document.querySelector('[data-language=zh]').click()")
    assert tab.evaluate("document.querySelector('h1').innerText").startswith("数据审计")
    # A table wider than the telephone scrolls inside its own frame.
    inside = (
        "[...document.querySelectorAll('table')].every(t => getComputedStyle(t.parentElement).overflowX === 'auto')"
    )
    assert tab.evaluate(inside)


@pytest.mark.slow
def test_a_real_report_holds_together(tab, real_report):
    holds_together(tab, real_report)
    assert "CSI 500" in tab.evaluate("document.getElementById('headline_portfolio').textContent")


def test_tables_sort_on_click_and_missing_stays_last(tab, main_job):
    look(tab, main_job.run / "report.html", 1280)
    column = """[...document.querySelectorAll('#clocks tbody tr')].map(r => r.cells[4].dataset.sort)"""
    before = tab.evaluate(column)
    click = "document.querySelectorAll('#clocks th button')[4].click()"
    tab.evaluate(click)
    falling = [float(value) for value in tab.evaluate(column) if value]
    assert falling == sorted(falling, reverse=True)
    tab.evaluate(click)
    rising = [float(value) for value in tab.evaluate(column) if value]
    assert rising == sorted(falling)
    assert len(rising) == len([value for value in before if value]) > 3
    state = "document.querySelectorAll('#clocks th')[4].getAttribute('aria-sort')"
    assert tab.evaluate(state) == "ascending"


def test_language_switches_words_figures_and_address(tab, main_job):
    look(tab, main_job.run / "report.html", 1280)
    assert tab.evaluate("document.documentElement.lang") == "en"
    heading = "document.querySelector('#portfolios h2').innerText"
    tip = "document.querySelector('#ic_10d th:nth-child(3) button').title"
    axis = "document.querySelector('.plot .ytitle').textContent"
    assert (tab.evaluate(heading), tab.evaluate(axis)) == ("Enhanced index", "sum of RankIC")
    assert tab.evaluate(tip).startswith("Mean over days")
    tab.evaluate("document.querySelector('[data-language=zh]').click()")
    tab.evaluate("new Promise(done => setTimeout(done, 300))")
    assert tab.evaluate("document.documentElement.lang") == "zh-CN"
    assert tab.evaluate("location.hash") == "#zh"
    assert (tab.evaluate(heading), tab.evaluate(axis)) == ("指数增强", "秩相关IC累加")
    assert tab.evaluate(tip).startswith("得分与未来收益")
    bars = "document.querySelector('[id^=style_mean] .yaxislayer-above').textContent"
    assert "市值" in tab.evaluate(bars)
    # Chinese is what is seen: no English word of the switch remains in sight.
    assert tab.evaluate("[...document.querySelectorAll('span.en')].every(e => e.offsetParent === null)")
    tab.evaluate("document.querySelector('[data-language=en]').click()")
    assert tab.evaluate(heading) == "Enhanced index"
    assert tab.complaints() == []


@pytest.mark.slow
def test_it_prints_on_paper_without_cutting_figures(tab, main_job, tmp_path):
    look(tab, main_job.run / "report.html", 1280)
    tab.pdf(tmp_path / "report.pdf")
    pdf = (tmp_path / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Count" in pdf
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    wide = tab.evaluate("Math.max(...[...document.querySelectorAll('.plot .main-svg')].map(s => s.clientWidth))")
    tab.call("Emulation.setEmulatedMedia", media="")
    assert wide <= 690, "A4 less its margins is 690 px wide"


@pytest.mark.slow
def test_runs_compare_and_have_an_index(tab, main_job, tmp_path):
    runs = tmp_path / "runs"
    for name in ("first", "second"):
        shutil.copytree(main_job.run, runs / name)
        assert deepfactor("report", runs / name, "--language", "zh").code == 0
    result = deepfactor("compare", runs / "first", runs / "second", "--out", tmp_path / "both")
    assert result.code == 0, result.err
    look(tab, runs / "index.html", 390, "zh")
    rows = tab.evaluate("[...document.querySelectorAll('#runs tbody th a')].map(a => a.getAttribute('href'))")
    assert sorted(rows) == ["first/report.html", "second/report.html"]
    look(tab, tmp_path / "both" / "report.html", 1280)
    report = read(tmp_path / "both" / "report.json")
    arms = [arm["name"] for arm in report["arms"]]
    assert arms[0] == "first/gru_ic"
    assert len(arms) == 2 * len(read(main_job.run / "report.json")["arms"])
    same = [row for row in report["tables"]["paired"] if row["pair"] == "first/gru_ic − second/gru_ic"]
    assert same
    assert {row["difference"] for row in same} == {0.0}
    assert all(row["paired_t"] is None for row in same)
    clash = deepfactor("compare", runs / "first", runs / "second", "--out", runs / "first")
    assert clash.code == 2
    assert "holds a run" in clash.err
    assert deepfactor("compare", runs / "first", "--out", tmp_path / "one").code == 2
