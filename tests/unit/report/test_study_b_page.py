"""``benchmarks.study_b``: a run's arms beside the study's numbers as Markdown; what is written by hand stays."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RECIPE = {
    "plan": {"train_years": 5, "valid_years": 1, "test_years": 1, "every": 5},
    "fit": {"epochs": 12, "patience": 15, "lr": 0.001, "seeds": [0, 42]},
}
NUMBERS = {"difference": -0.004, "standard_error": 0.002, "t_newey_west": -2.0, "win_rate": 0.4, "lags": 10, "n": 480}
PAIR = {"first": "gru_ic", "second": "lightgbm", "universe": "all", "seed_std_first": 0.003, "seed_std_second": None}
PAIRED = (
    {"measure": "rank_ic", **PAIR, "convention": "t1_close", "horizon": 10, **NUMBERS},
    {"measure": "top_excess", **PAIR, **NUMBERS, "difference": 0.031, "t_newey_west": 0.7},
)


@pytest.fixture
def study_b(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.study_b")


@pytest.fixture
def content(make_content):
    """A network that the study prints numbers of and one that it doesn't, with portfolios."""
    given = make_content()
    names = {"gru": "gru_ic", "decomp_gru": "lightgbm"}
    first, second = (replace(arm, name=names[arm.name]) for arm in given.arms)
    portfolios = tuple(
        replace(p, arm=names[p.arm], summary={**p.summary, "all": p.summary["all"] | {"days": 487}})
        for p in given.portfolios
    )
    correlation = {"gru_ic": {"gru_ic": 1.0, "lightgbm": 0.7}, "lightgbm": {"gru_ic": 0.7, "lightgbm": 1.0}}
    arms = (first, replace(second, published=None))
    return make_content(arms=arms, portfolios=portfolios, recipe=RECIPE, correlation=correlation, paired=PAIRED)


def cells(page, start):
    """The cells of the first row that begins so."""
    line = next(line for line in page.splitlines() if line.startswith(start))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_numbers_stand_beside_the_studys(study_b, content):
    page = study_b.page(content, None, study_b.SAID)
    mean = content.arms[0].record("all", 10, "t1_close")["rank_ic"]["mean"]
    assert cells(page, "| gru_ic |")[1] == f"{mean:.3f} (0.125)"
    assert "(" not in cells(page, "| lightgbm |")[1]
    assert "Not the study's protocol" in page
    enhanced = page[page.index("## Enhanced indices") :]
    assert cells(enhanced, "| CSI 500 | gru_ic |")[2:4] == ["+10.42%", "+9.68%"]


def test_a_pair_is_shown_from_both_sides(study_b, content):
    page = study_b.page(content, None, study_b.SAID)
    assert cells(page, "| gru_ic − lightgbm |")[1] == "−0.004 (−2.00)"
    assert cells(page, "| lightgbm − gru_ic |")[1] == "+0.004 (2.00)"
    assert "−3.10% (−0.70)" in cells(page, "| lightgbm − gru_ic |")
    assert cells(page, "| gru_ic − lightgbm |")[2] == "–"


def test_what_was_recomputed_is_summed(study_b, content):
    one = {"rebalances": 103, "relaxed_rebalances": 9, "checked": 5000, "recorded": 11, "violations": 0}
    found = {f"{arm}/000905.SH/study_b": one for arm in ("gru_ic", "lightgbm")}
    page = study_b.page(content, found, study_b.SAID)
    assert cells(page, "| all |") == ["all", "", "206", "18", "10,000", "22", "0"]
    assert "Not done" in study_b.page(content, None, study_b.SAID)
    with pytest.raises(KeyError):
        study_b.page(content, {"gru_ic/000905.SH/study_b": one}, study_b.SAID)  # a portfolio that nobody checked


def test_it_is_markdown_with_rows_of_one_length(study_b, content):
    page = study_b.page(content, None, study_b.SAID)
    blocks = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert len(blocks) >= 10
    for block in blocks:
        assert len({line.count("|") for line in block}) == 1
        assert re.fullmatch(r"(\| --- )+\|", block[1])


def test_what_is_written_by_hand_stays(study_b, content, monkeypatch, tmp_path):
    monkeypatch.setattr(study_b, "load_content", lambda folder: content)
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE))
    out = tmp_path / "study-b.md"
    monkeypatch.setattr("sys.argv", ["study_b", str(tmp_path), "--out", str(out)])
    study_b.main()
    assert out.read_text(encoding="utf-8").endswith(f"{study_b.SAID}\n")
    out.write_text(f"old\n\n{study_b.SAID}\n\n* By hand.\n", encoding="utf-8")
    study_b.main()
    page = out.read_text(encoding="utf-8")
    assert page.endswith(f"{study_b.SAID}\n\n* By hand.\n")
    assert not page.startswith("old")
