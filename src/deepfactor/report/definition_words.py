"""By which definition an excess was formed, in words, wherever one is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deepfactor.evaluation.definitions import PRESETS
from deepfactor.report.content import PortfolioContent
from deepfactor.report.words import Text, joined, words


def definition(of: Mapping[str, Any] | None) -> Text:
    """The words of a record's ``definitions``; a record without them was left by an earlier version."""
    text = words().text
    if of is None:
        return text["definition_unknown"]
    whole, year, one = (f"{key}.{of[key]}" for key in ("annual_excess", "year", "yearly_excess"))
    said = text["definition_form"].filled(whole=text[whole], year=text[year], one=text[one])
    named = [study for study, preset in PRESETS.items() if preset.model_dump() == of]
    return text["definition_of"].filled(study=text[f"named_study.{named[0]}"], said=said) if named else said


def definitions_of(records: Iterable[Mapping[str, Any]]) -> Text:
    """The words of all definitions among `records` (groups, top portfolios), each once."""
    found: dict[str, Text] = {}
    for record in records:
        said = definition(record.get("definitions"))
        found[str(said)] = said
    return words().text["definition_note"].filled(said=joined("; ", found.values())) if found else Text("")


def definition_of_portfolio(p: PortfolioContent) -> Text:
    """The words of a portfolio's definitions, and where they come from if its constraint set states none."""
    by_name = {str(study): preset.model_dump() for study, preset in PRESETS.items()}
    known = "definition_stated" in p.summary  # an earlier version formed the whole span otherwise
    said = definition(by_name.get(str(p.summary.get("definition"))) if known else None)
    if p.summary.get("definition_stated", True):
        return said
    return words().text["definition_default"].filled(said=said)


def formed_like(record: Mapping[str, Any], study: str) -> bool:
    """Is the excess of `record` formed as the study's printed one, so that the two may stand beside each other?"""
    presets: Mapping[str, Any] = {name: preset.model_dump() for name, preset in PRESETS.items()}
    return bool(record.get("definitions") == presets.get(study))
