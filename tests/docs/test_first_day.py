"""The tutorial's commands, word for word but for days and addresses: from a vendor to a tested, enhanced baseline."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from deepfactor.lake import pace
from support.baostock_server import baostock_server
from support.cli import deepfactor
from support.tushare_server import TOKEN, tushare_server
from support.vendor_baostock import baostock_data
from support.vendor_folders import write_tushare
from support.vendor_tushare import simulated_tables, tushare_data

pytestmark = pytest.mark.slow
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = ("first-day.md", "first-day.zh.md")
START, END = date(2017, 12, 1), date(2020, 2, 28)
#: In place of 2013 to today: a year to train on, one to validate.
SHORTER = ("--set", "plan.first_test=2020-01-01", "--set", "plan.train_years=1")
Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def simulated() -> Tables:
    return simulated_tables(stocks=120, start=START, end=END, seed=4)


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """`daily` may be asked for 500 times a minute, of which a test would wait out the half."""
    monkeypatch.setattr(pace, "_MINUTE", 0.0)


def blocks(page: str) -> list[list[list[str]]]:
    """The commands of each fenced block of a page that has any of deepfactor's."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    found = re.findall(r"^```\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    each = [[shlex.split(line) for line in one.splitlines() if line.startswith("deepfactor ")] for one in found]
    return [one for one in each if one]


def block(page: str, first: str) -> list[list[str]]:
    """The block whose first command holds the word `first`: no more than five commands."""
    (found,) = [one for one in blocks(page) if first in one[0] and len(one) > 1]
    assert len(found) <= 5
    return [words[1:] for words in found]


def follow(commands: list[list[str]], *more: object) -> None:
    """Run them; `more` goes to the fetch."""
    for words in commands:
        words = [{"2013-01-01": str(START), "~/.tushare": "token"}.get(word, word) for word in words]
        added = more if words[0] == "fetch" else SHORTER if words[0] == "run" else ()
        done = deepfactor(*words, *added)
        assert done.code == 0, (words, done.err)


def require_baseline() -> None:
    """A tested and enhanced baseline, with its page; and the audit's."""
    run = Path("runs") / "baseline"
    assert json.loads((run / "arms" / "ridge" / "factor_report.json").read_text())["records"]
    (summary,) = run.glob("portfolio/ridge/*/study_b/summary.json")
    assert json.loads(summary.read_text())["all"]["rebalances"] > 0
    assert "<html" in (run / "report.html").read_text(encoding="utf-8")[:100]
    assert "<html" in Path("audit.html").read_text(encoding="utf-8")[:100]


@contextmanager
def tushare(tables: Tables) -> Iterator[tuple[object, ...]]:
    Path("token").write_text(TOKEN)
    Path("token").chmod(0o600)
    with tushare_server(tushare_data(tables)) as server:
        yield "--url", server.url, "--until", END, "--a-minute", 10**6


@contextmanager
def baostock(tables: Tables) -> Iterator[tuple[object, ...]]:
    with baostock_server(baostock_data(tables)) as server:
        yield "--url", server.url, "--until", END, "--a-minute", 10**6


def test_both_pages_have_the_same_commands() -> None:
    """But for the language that is asked for."""
    english, chinese = (
        [[[w for w in words if w not in ("--language", "zh")] for words in one] for one in blocks(page)]
        for page in PAGES
    )
    assert english == chinese
    assert len(english) == 4


@pytest.mark.parametrize(("page", "vendor"), [(PAGES[0], "tushare"), (PAGES[1], "baostock")])
def test_from_a_vendor_to_an_enhanced_baseline(
    page: str, vendor: str, simulated: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with {"tushare": tushare, "baostock": baostock}[vendor](simulated) as more:
        follow(block(page, vendor), *more)
    require_baseline()


def test_from_a_folder_of_files_to_an_enhanced_baseline(
    simulated: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("files").mkdir()
    write_tushare(Path("files"), simulated)
    follow(block(PAGES[0], "guess"))
    require_baseline()


def test_two_vendors_beside_each_other(simulated: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tokens = {"tushare": ("--token-file", "token"), "baostock": ()}
    for name, vendor in (("tushare", tushare), ("baostock", baostock)):
        with vendor(simulated) as more:
            how = ("--since", "2020-01-02", *more, *tokens[name])
            fetched = deepfactor("fetch", name, f"lake_{name}", *how)
            assert fetched.code == 0, fetched.err
        assert deepfactor("ingest", name, f"market_{name}", "--folder", f"lake_{name}").code == 0
    for page in PAGES:
        ((words,),) = [one for one in blocks(page) if one[0][1] == "reconcile-market"]
        done = deepfactor(*words[1:])
        assert done.code == 0, done.err
        assert (tmp_path / "pair.html").is_file()
        (tmp_path / "pair.html").unlink()
    told = deepfactor(*words[1:], "--json").json()["differences"]
    same = [one for one in told if one["group"] in ("prices", "adjustment", "status")]
    assert len(same) >= 10
    assert [one["quantity"] for one in same if one["differ"]] == []
