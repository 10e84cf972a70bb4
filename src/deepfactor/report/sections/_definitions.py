"""By which definition an excess was formed, in words, wherever one is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deepfactor.core.words import Text, joined, together
from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.records import DefinitionsRecord, GroupRecord, TopRecord
from deepfactor.report.content import PortfolioContent

STUDIES = {"study_a": Text("Study A", "研报A"), "study_b": Text("Study B", "研报B")}
ANNUAL = {
    "ratio": Text("annualised ratio of NAVs", "净值之比年化"),
    "difference": Text("difference of annualised returns", "年化收益之差"),
}
YEARLY = {
    "ratio": Text("growth of the ratio of NAVs", "净值之比的涨幅"),
    "difference": Text("difference of cumulative returns", "累计收益之差"),
}
YEAR = {
    "trading": Text("252 trading days a year", "每年252个交易日"),
    "calendar": Text("calendar time, 365 days a year", "按自然日，每年365天"),
}
UNKNOWN = Text(
    "by a definition that these results do not state: they are of an earlier version, which took "
    "the difference of annualised returns over the whole span",
    "口径未记录：结果来自较早版本，全区间为年化收益之差",
)


def definition(of: DefinitionsRecord | None) -> Text:
    """The words of a record's ``definitions``; a record without them was left by an earlier version."""
    if of is None:
        return UNKNOWN
    form = Text("{whole}, {year}; of one year: {one}, not annualised", "{whole}，{year}；单年为{one}，不年化")
    said = form.filled(whole=ANNUAL[of["annual_excess"]], year=YEAR[of["year"]], one=YEARLY[of["yearly_excess"]])
    named = [study for study, preset in PRESETS.items() if preset.record() == of]
    return (
        Text("by {study}'s definition: {said}", "按{study}口径：{said}").filled(study=STUDIES[named[0]], said=said)
        if named
        else said
    )


def definitions_of(records: Iterable[GroupRecord | TopRecord]) -> Text:
    """The words of all definitions among `records` (groups, top portfolios), each once."""
    by_text: dict[str, Text] = {}
    for record in records:
        said = definition(record.get("definitions"))
        by_text[str(said)] = said
    return excess_is(joined("; ", by_text.values())) if by_text else Text("")


def definition_of_portfolio(p: PortfolioContent) -> Text:
    """The words of a portfolio's definitions, and where they come from if its constraint set states none."""
    by_name = {str(study): preset.record() for study, preset in PRESETS.items()}
    known = "definition_stated" in p.summary  # an earlier version formed the whole span otherwise
    said = definition(by_name.get(str(p.summary.get("definition"))) if known else None)
    if p.summary.get("definition_stated", True):
        return said
    return Text(
        "{said} (the default: the constraint set states no definitions)", "{said}（默认口径：约束集未注明）"
    ).filled(said=said)


def excess_is(said: Text) -> Text:
    """A note that says how a table's excess is formed."""
    return Text("Excess {said}.", "超额{said}。").filled(said=said)


def definitions_by_set(portfolios: Sequence[PortfolioContent]) -> Text:
    """By which definition each constraint set's excess is formed; sets of the same one together."""
    sets: dict[str, tuple[Text, list[str]]] = {}
    for p in portfolios:
        said = definition_of_portfolio(p)
        names = sets.setdefault(str(said), (said, []))[1]
        names += [p.named] if p.named not in names else []
    form = Text("Excess of {sets} {said}.", "{sets}的超额{said}。")
    return together([form.filled(sets=", ".join(names), said=said) for said, names in sets.values()])
