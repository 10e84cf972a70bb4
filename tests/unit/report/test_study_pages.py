"""`research.study_a` and `study_b`: arms beside the study's numbers as Markdown; what is written by hand stays."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace

import pytest

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
def pages():
    """What the pages share, the page of Study A and that of Study B."""
    return [importlib.import_module(f"research.{name}") for name in ("study_tables", "study_a", "study_b")]


@pytest.fixture
def tables(pages):
    return pages[0]


@pytest.fixture
def study_a(pages):
    return pages[1]


@pytest.fixture
def study_b(pages):
    return pages[2]


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


def test_numbers_stand_beside_the_studys(study_b, tables, content):
    page = study_b.page(content, None, tables.SAID)
    mean = content.arms[0].record("all", 10, "t1_close")["rank_ic"]["mean"]
    assert cells(page, "| gru_ic |")[1] == f"{mean:.3f} (0.125)"
    assert "(" not in cells(page, "| lightgbm |")[1]
    assert "Not the study's protocol" in page
    enhanced = page[page.index("## Enhanced indices") :]
    assert cells(enhanced, "| CSI 500 | gru_ic |")[2:4] == ["+10.42%", "+9.68%"]


def test_a_pair_is_shown_from_both_sides(study_b, tables, content):
    page = study_b.page(content, None, tables.SAID)
    assert cells(page, "| gru_ic − lightgbm |")[1] == "−0.004 (−2.00)"
    assert cells(page, "| lightgbm − gru_ic |")[1] == "+0.004 (2.00)"
    assert "−3.10% (−0.70)" in cells(page, "| lightgbm − gru_ic |")
    assert cells(page, "| gru_ic − lightgbm |")[2] == "–"


def test_what_was_recomputed_is_summed(study_b, tables, content):
    one = {"rebalances": 103, "relaxed_rebalances": 9, "checked": 5000, "recorded": 11, "violations": 0}
    found = {f"{arm}/000905.SH/study_b": one for arm in ("gru_ic", "lightgbm")}
    page = study_b.page(content, found, tables.SAID)
    assert cells(page, "| all |") == ["all", "", "206", "18", "10,000", "22", "0"]
    assert "Not done" in study_b.page(content, None, tables.SAID)
    with pytest.raises(KeyError):
        study_b.page(content, {"gru_ic/000905.SH/study_b": one}, tables.SAID)  # a portfolio that nobody checked


@pytest.mark.parametrize("study", ["study_a", "study_b"])
def test_it_is_markdown_with_rows_of_one_length(study, tables, content, request):
    page = request.getfixturevalue(study).page(content, None, tables.SAID)
    blocks = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert len(blocks) >= 8
    for block in blocks:
        assert len({line.count("|") for line in block}) == 1
        assert re.fullmatch(r"(\| --- )+\|", block[1])


def test_a_second_constraint_set_gets_a_column(study_a, tables, content):
    page = study_a.page(content, None, tables.SAID)
    enhanced = page[page.index("## Enhanced indices") :]
    assert cells(enhanced, "| index |")[:2] == ["index", "arm"]
    more = replace(content.portfolios[0], constraints="study_a")
    both = replace(content, portfolios=(*content.portfolios, more))
    page = study_a.page(both, None, tables.SAID)
    enhanced = page[page.index("## Enhanced indices") :]
    assert cells(enhanced, "| index |")[:3] == ["index", "constraints", "arm"]
    assert cells(enhanced, "| CSI 500 | study_a |")[:3] == ["CSI 500", "study_a", more.arm]


JOB = {
    "fold": 2019,
    "valid_rank_ic": 0.05,
    "weighting_valid_rank_ic": 0.04,
    "importance": {"deep_01": 0.5, "deep_02": 0.1, "ROE": 0.4},
    "deep_factors": [{"name": "deep_01", "sign": -1, "rank_ic": 0.03}, {"name": "deep_02", "sign": 1, "rank_ic": 0.01}],
}


def test_a_weighting_says_what_it_leans_on(study_a, tables, content):
    first, second = content.arms
    weighted = replace(content, arms=(replace(first, training={"jobs": [JOB]}), second))
    page = study_a.page(weighted, None, tables.SAID)
    row = cells(page[page.index("## Second weighting") :], f"| {first.name} | 2019 |")
    assert row == [first.name, "2019", "0.050", "0.040", "60.0%", "1 of 2"]
    assert "No arm of this run" in study_a.page(content, None, tables.SAID)


@pytest.mark.parametrize("study", ["study_a", "study_b"])
def test_what_is_written_by_hand_stays(study, tables, content, monkeypatch, tmp_path, request):
    monkeypatch.setattr(tables, "load_content", lambda folder: content)
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE))
    out = tmp_path / "page.md"
    monkeypatch.setattr("sys.argv", [study, str(tmp_path), "--out", str(out)])
    layout = request.getfixturevalue(study).page
    tables.main(layout, None)
    bare = out.read_text(encoding="utf-8")
    assert bare.startswith(f"# {content.title}\n\n{tables.SAID}\n\n{tables.BRACKETS}\n\n## ")
    for after in ("", "\n## RankIC\n\nold\n"):
        out.write_text(f"old\n\n{tables.SAID}\n\n* By hand.\n\n### More\n\n* By hand, too.\n{after}", encoding="utf-8")
        tables.main(layout, None)
        page = out.read_text(encoding="utf-8")
        assert page == bare.replace(tables.SAID, f"{tables.SAID}\n\n* By hand.\n\n### More\n\n* By hand, too.", 1)
        tables.main(layout, None)
        assert out.read_text(encoding="utf-8") == page
