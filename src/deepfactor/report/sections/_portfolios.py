"""What several sections show of portfolios: the study's numbers beside them, the arms' colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deepfactor.core.words import Text
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.content.published import Reference, reference
from deepfactor.report.press.drawing import GREY, colour

AFTER_COST = Text("portfolio / index, after cost", "组合/指数（费后）")


def reference_of(content: RunContent, p: PortfolioContent) -> Reference | None:
    """The study's model behind a portfolio's arm."""
    arm = next((arm for arm in content.arms if arm.name == p.arm), None)
    return None if arm is None else reference(arm.published)


def printed(content: RunContent, p: PortfolioContent, key: str, year: str = "all") -> float | None:
    """The study's number for a portfolio, None where it prints none."""
    ref = reference_of(content, p)
    return None if ref is None else ref.enhanced(key, p.index, p.summary.get("preset"), year)


def known(columns: Sequence[tuple[str, str]], entries: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    """`columns` less the comparison that no entry has: few markets bring a total-return index."""
    optional = "excess_total_return"
    return [c for c in columns if c[0] != optional or any(entry.get(optional) is not None for entry in entries)]


def ink(content: RunContent, p: PortfolioContent) -> str:
    """The colour of a portfolio's arm."""
    arms = [arm.name for arm in content.arms]
    return colour(arms.index(p.arm)) if p.arm in arms else GREY
