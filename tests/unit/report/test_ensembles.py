"""Combinations beside their members' mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deepfactor.report.sections._ensembles import beside_members
from support.run_content import arm, build, portfolio


def test_a_combination_stands_beside_the_mean_of_its_members() -> None:
    content = build()
    members = content.arms[:2]
    index = content.portfolios[0].index
    both = arm("both", 0.9, None, 10)
    both = replace(both, model_card={"kind": "combination", "settings": {"of": [one.name for one in members]}})
    drifts = zip((*members, both), (0.1, 0.3, 0.9), strict=True)
    content = replace(
        content, arms=(*content.arms, both), portfolios=tuple(portfolio(a.name, index, d) for a, d in drifts)
    )
    table = beside_members(content)
    assert table is not None
    rows = {str(row[1].text): [cell.value for cell in row[2:]] for row in table.rows}
    record = [one.record(content.lead, 10, content.main)["rank_ic"]["mean"] for one in (*members, both)]  # type: ignore[index]
    assert rows["RankIC"] == pytest.approx(
        [record[2], sum(record[:2]) / 2, record[2] - sum(record[:2]) / 2, max(record[:2])]
    )
    excess = [p.whole["excess"] for p in content.portfolios]
    own = next(values for name, values in rows.items() if "study_b" in name or "·" in name)
    assert own == pytest.approx([excess[2], sum(excess[:2]) / 2, excess[2] - sum(excess[:2]) / 2, max(excess[:2])])


def test_a_run_without_combinations_has_no_such_section() -> None:
    assert beside_members(build()) is None
