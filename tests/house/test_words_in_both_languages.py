"""What results can say has its Chinese: findings, constraints, reasons, styles, settings of every kind."""

from __future__ import annotations

import ast
import re
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
CARDS = ("features", "labels", "models", "graphs", "training.losses", "training.scalings", "training.weightings")
OF_STUDY_A = "SIZE MID_CAP MOMENTUM LIQUIDITY VOLATILITY VALUE EP PROFITABILITY GROWTH SUE"
STYLES = {
    "basic": ("SIZE",),
    "study_a": OF_STUDY_A.split(),
    "barra_cne5": ("SIZE", "NLSIZE", "BETA", "MOMENTUM", "RESVOL", "LIQUIDITY", *COMPANY),
}


def nodes() -> list[ast.Subscript]:
    """Subscripts of the whole source."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Subscript)]


def reasons() -> list[str]:
    """Names of counts of what is left out or treated apart, as the code spells them; 7 stands for what it fills in."""
    found = set()
    for node in nodes():
        if (
            isinstance(node.ctx, ast.Store)
            and _name(node.value) in ("counts", "facts", "dropped")
            and (spelled := _spelled(node.slice))
        ):
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


@pytest.mark.slow
def test_a_reason_has_its_chinese():
    assert [reason for reason in reasons() if not _has_its_chinese(reason)] == []


@pytest.mark.slow
def test_reasons_are_found():
    assert {"stuck_positions", "missing_exposures.7"} <= set(reasons())


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
