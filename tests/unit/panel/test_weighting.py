"""How a span's index weights were made, and what is no index."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.panel.weighting import KINDS, Weighting, require_index

DATES = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-07"))


def weighting(**columns):
    rows = Weighting.of("published", len(DATES)).rows
    for name, values in columns.items():
        rows[name] = values
    return Weighting(rows)


def test_published_whole_and_recent_is_published():
    used = weighting(total=[1.0, 0.981, 1.019, 1, 1, 1], age=[0, 1, 2, 100, 5, 6]).used()
    assert (used.kind, dict(used.days), used.oldest, used.whole) == ("published", {"published": 6}, 100, True)
    assert used.text() == "published"


@pytest.mark.parametrize(
    ("columns", "days", "text"),
    [
        ({"total": [1, 1, 1, 1, 1, 0.6]}, {"published": 5, "published_incomplete": 1}, "sum to 0.60, wanted 1"),
        ({"total": [np.nan] * 6}, {"published_incomplete": 6}, "published, incomplete"),
        ({"missing": [0, 0, 0, 290, 290, 290]}, {"published": 3, "published_incomplete": 3}, "290 members missing"),
        ({"age": [90, 100, 101, 102, 103, 104]}, {"published": 2, "published_stale": 4}, "up to 104 days old"),
    ],
)
def test_a_flaw_on_any_day_names_the_span(columns, days, text):
    used = weighting(**columns).used()
    assert dict(used.days) == days
    assert used.kind.startswith("published_")
    assert not used.whole
    assert text in used.text()


def test_derived_kinds_count_and_the_most_days_name_the_span():
    kinds = [KINDS.index(kind) for kind in ("none", "float_cap", "estimated", "estimated", "estimated", "published")]
    used = weighting(kind=kinds, total=[np.nan] * 5 + [1.0]).used()
    assert used.kind == "estimated"
    assert dict(used.days) == {"published": 1, "float_cap": 1, "estimated": 3}
    assert used.summary()["replica_weights_days"] == used.days
    assert "estimated" in used.text()
    assert "(3 of 5 days)" in used.text()


def test_less_than_half_of_an_index_is_refused_and_named():
    require_index("000300.SH", weighting(total=[1, 1, 1, 1, 1, 0.5]), DATES)
    require_index("000300.SH", Weighting.of("float_cap", len(DATES)), DATES)
    for total in (0.42, 12.0, np.nan):
        with pytest.raises(DataError, match=r"000300\.SH in force on 2020-01-03 sum to .*as on 1 of 6 days"):
            require_index("000300.SH", weighting(total=[1, 1, total, 1, 1, 1]), DATES)
