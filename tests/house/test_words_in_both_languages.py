"""What results can say has its Chinese: findings, constraints, reasons, styles, settings of every kind."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.core.spec import Spec
from deepfactor.portfolio.constraints.base import ROOM as CONSTRAINTS
from deepfactor.report.press.words import words, words_of_files
from deepfactor.sources._simulation.settings import Settings as Simulated
from deepfactor.styles.barra_cne5 import COMPANY
from deepfactor.training.spec import Fit

SOURCE = Path(__file__).parents[2] / "src" / "deepfactor"
HAN = re.compile("[一-鿿]")
#: Calls that make a finding, and where its code stands among their arguments.
MAKERS = {"Finding": 1, "rows_where": 1, "_names": 0}
#: Codes that are made up at run time.
MADE = (
    *("not_in_securities", "not_in_industry", "calendar_gap", "off_calendar"),
    *("weekend", "before_exchanges", "in_the_future", "foreign_code", "twin_symbols"),
    *("factor_jump", "price_jump", "factor_jump_in_suspension"),
    *("impossible_return", "factor_and_price", "not_adjusted", "impossible_level", "strange_level"),
    *("unit_jump", "unit_of_board", "unit_of_rows"),
)
CARDS = ("features", "labels", "models", "graphs", "training.losses", "training.scalings", "training.weightings")
OF_STUDY_A = "SIZE MID_CAP MOMENTUM LIQUIDITY VOLATILITY VALUE EP PROFITABILITY GROWTH SUE"
STYLES = {
    "basic": ("SIZE",),
    "study_a": OF_STUDY_A.split(),
    "barra_cne5": ("SIZE", "NLSIZE", "BETA", "MOMENTUM", "RESVOL", "LIQUIDITY", *COMPANY),
}


@cache
def nodes() -> list[ast.Call | ast.Subscript]:
    """Calls and subscripts of the whole source."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call | ast.Subscript)]


def codes() -> list[str]:
    found = set(MADE)
    for node in nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
            at = MAKERS[node.func.id]
            code = node.args[at] if len(node.args) > at else None
            found |= {code.value} if isinstance(code, ast.Constant) and isinstance(code.value, str) else set()
    return sorted(found)


def test_a_finding_has_its_chinese():
    assert [code for code in codes() if not HAN.search(words().findings.get(code, ""))] == []


def reasons() -> list[str]:
    """Names of counts of what is left out or treated apart, as the code spells them; 7 stands for what it fills in."""
    found = set()
    for node in nodes():
        kept = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        if kept and _name(node.value) in ("counts", "dropped") and (spelled := _spelled(node.slice)):
            found.add(spelled)
    return sorted(found)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _spelled(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = [str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values]
        return "".join(parts) if set(parts) != {"7"} else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _has_its_chinese(reason: str) -> bool:
    whole = words().sentence_or_term(reason).zh
    first = words().term(reason.split(".")[0]).zh  # a dotted count is named part by part
    return bool(HAN.search(whole) or HAN.search(first))


def test_a_reason_has_its_chinese():
    assert [reason for reason in reasons() if not _has_its_chinese(reason)] == []


def test_reasons_are_found():
    assert {"stuck_positions", "daily rows with a trade, without 7", "missing_exposures.7"} <= set(reasons())


def test_findings_are_found():
    assert {"beyond_limit", "weight_sum", "null", "no_prices", "duplicate_key"} <= set(codes())


@pytest.mark.parametrize("name", [*CONSTRAINTS.kinds(), "frozen", "not_buyable", "untradeable", "infeasible",
                                  "two-sided", "one-sided"])  # fmt: skip
def test_a_constraint_and_a_reason_have_theirs(name):
    assert HAN.search(words().term(name).zh)


@pytest.mark.parametrize(("of", "style"), [(of, style) for of, styles in STYLES.items() for style in styles])
def test_a_style_has_its_chinese_and_its_definition_in_both(of, style):
    assert HAN.search(words().style(style, of).zh)
    said = words().terms[f"definition.{of}.{style}"]
    assert HAN.search(said.zh)
    assert not HAN.search(said)


def test_styles_of_one_name_that_differ_say_how():
    one, other = (words().style("MOMENTUM", of) for of in ("study_a", "barra_cne5"))
    assert one == "MOMENTUM (21 days)"
    assert other == "MOMENTUM (504 to 21 days ago)"
    assert "21" in one.zh
    assert "504" in other.zh


def settings() -> list[str]:
    """Names of settings that model cards and the market's facts show."""
    specs: list[type[Spec]] = [Fit, Simulated]
    for room in CARDS:
        specs += [load_kind(f"deepfactor.{room}", kind).Settings for kind in kinds_in(f"deepfactor.{room}")]
    return sorted({name for spec in specs for name in spec.model_fields} - {"seeds"})


@pytest.mark.parametrize("name", settings())
def test_a_setting_has_its_chinese(name):
    assert HAN.search(words().setting(name).zh) or words().setting(name).zh.startswith("MLP")


def test_kinds_that_share_a_word_agree_on_it():
    found: dict[str, set[object]] = {}
    for key, given in words_of_files(SOURCE):
        found.setdefault(key, set()).add(given)
    assert {key: given for key, given in found.items() if len(given) > 1} == {}
    assert {"capacity", "early", "definition.study_a.SUE"} <= found.keys()


def test_a_new_kind_brings_its_words(tmp_path):
    """Read off its file, which is not imported."""
    (tmp_path / "new_kind.py").write_text('raise RuntimeError\nWORDS = {"new_kind": "新", "x": ("an x", "某")}\n')
    (tmp_path / "other.py").write_text("WORD = {}\n")
    assert dict(words_of_files(tmp_path)) == {"new_kind": "新", "x": ("an x", "某")}
