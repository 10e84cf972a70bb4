"""How the weights of an index came about: by day, and over a span as a result states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from deepfactor.core.arrays import Dates, Records
from deepfactor.core.errors import DataError
from deepfactor.market.index_rules import STALE_DAYS

#: How a day's weights were made; the position is the number in `Weighting.rows`. ``none`` = no weights that day.
#: ``published``: the publisher's, drifting with price since. Else members weigh by market value: ``free_float`` = by
#: the vendor's free float in the provider's tiers, ``float_cap`` = by float shares, ``total_cap`` = by all shares,
#: ``estimated`` = by one of these with the inclusion factors of the largest estimated from the index's own returns.
KINDS = ("none", "published", "free_float", "float_cap", "total_cap", "estimated")
#: A published set of weights is whole if what has prices sums to 1 within this; the rounding of a thousand weights
#: and one or two members without prices lie inside.
WHOLE = 0.02
#: A set that sums to less, or to more than its inverse, is no picture of the index: a portfolio on it is refused.
LEAST_SUM = 0.5

_SAID = {
    "none": "none",
    "published": "published",
    "free_float": "by the vendor's free float in the provider's tiers",
    "float_cap": "by float market value, not published",
    "total_cap": "by total market value, not published",
    "estimated": "estimated: float market value with inclusion factors fitted to the index's own past returns",
}

ROWS = np.dtype([("kind", "i1"), ("total", "<f8"), ("missing", "<i4"), ("age", "<i4")])


class WeightsRecord(TypedDict):
    """How the weights of an index's replica came about, of a result's whole span."""

    replica_weights: str
    replica_weights_days: Mapping[str, int]
    replica_weights_sum: float | None
    replica_weights_missing: int
    replica_weights_age: int


@dataclass(frozen=True)
class Weighting:
    """By day, how an index's weights were made.

    Attributes
    ----------
    rows : (T,) records
        ``kind``: position in `KINDS`. Of published weights ``total``, the sum of the publication's weights that have
        prices, before it was scaled to 1, ``missing``, how many members it has less than the index's code says (see
        `deepfactor.market.index_rules.members_lacking`), and ``age``, calendar days since it; else NaN, 0 and 0.
    """

    rows: Records

    @classmethod
    def of(cls, kind: str, days: int) -> Weighting:
        """One kind on all of `days`; a publication is whole and of the day."""
        rows = np.zeros(days, dtype=ROWS)
        rows["kind"], rows["total"] = KINDS.index(kind), 1.0 if kind == "published" else np.nan
        return cls(rows)

    def __getitem__(self, rows: slice) -> Weighting:
        return Weighting(self.rows[rows])

    def used(self) -> WeightsUsed:
        """The account of all rows together."""
        kind, total, missing, age = (self.rows[name] for name in ("kind", "total", "missing", "age"))
        published = kind == KINDS.index("published")
        broken = published & (~(np.abs(total - 1.0) <= WHOLE) | (missing > 0))
        stale = published & ~broken & (age > STALE_DAYS)
        count = np.bincount(kind[~(broken | stale)], minlength=len(KINDS))
        days = dict(zip(KINDS[1:], count[1:].tolist(), strict=True))
        days |= {"published_stale": int(stale.sum()), "published_incomplete": int(broken.sum())}
        sums = total[published]
        return WeightsUsed(
            days={name: n for name, n in days.items() if n},
            farthest_sum=float(sums[np.abs(sums - 1.0).argmax()]) if len(sums) else np.nan,
            most_missing=int(missing[published].max(initial=0)),
            oldest=int(age[published].max(initial=0)),
        )


@dataclass(frozen=True)
class WeightsUsed:
    """How the weights of a span were made.

    Attributes
    ----------
    days : kind → number of days; beside `KINDS` ``published_incomplete`` (the publication doesn't sum to 1, or has
        fewer members than the index's code says) and ``published_stale`` (older than `STALE_DAYS`)
    farthest_sum : of the publications used, the sum before scaling that is farthest from 1; NaN = none published
    most_missing : the most members that one of them lacks, by the index's code
    oldest : the greatest age of a publication in use, calendar days
    """

    days: Mapping[str, int]
    farthest_sum: float
    most_missing: int
    oldest: int

    @property
    def kind(self) -> str:
        """What a result may call the whole span: a flaw of the published weights if any day has one, else the kind of
        the most days."""
        for flaw in ("published_incomplete", "published_stale"):
            if flaw in self.days:
                return flaw
        return max(self.days, key=lambda name: self.days[name], default="none")

    @property
    def whole(self) -> bool:
        """Whether the publisher's weights, all of them and none stale, are in force on every day."""
        return set(self.days) <= {"published"}

    def text(self) -> str:
        """In words for the terminal: each kind, the most days first, with its days where there are several."""
        said = _SAID | {
            "published_incomplete": f"published, incomplete: sum to {self.farthest_sum:.2f}, wanted 1"
            + (f", {self.most_missing} members missing" if self.most_missing else ""),
            "published_stale": f"published, stale: up to {self.oldest} days old",
        }
        total = sum(self.days.values())
        kinds = sorted(self.days, key=lambda name: -self.days[name])
        if len(kinds) < 2:
            return said[self.kind]
        return "; ".join(f"{said[kind]} ({self.days[kind]} of {total} days)" for kind in kinds)

    def summary(self) -> WeightsRecord:
        """Plain values for a result; NaN = not defined."""
        return {
            "replica_weights": self.kind,
            "replica_weights_days": dict(self.days),
            "replica_weights_sum": self.farthest_sum,
            "replica_weights_missing": self.most_missing,
            "replica_weights_age": self.oldest,
        }


def require_index(index: str, weighting: Weighting, dates: Dates) -> None:
    """A `DataError` where published weights in force on one of `dates` (T,) sum to less than `LEAST_SUM`.

    The largest members alone are another index, and weights in another unit can't be told from them.
    """
    total = weighting.rows["total"]
    published = weighting.rows["kind"] == KINDS.index("published")
    short = np.flatnonzero(published & ~((total >= LEAST_SUM) & (total <= 1 / LEAST_SUM)))
    if len(short):
        raise DataError(
            f"the published weights of {index} in force on {dates[short[0]]} sum to {total[short[0]]:.2f}, wanted 1, "
            f"as on {len(short)} of {len(dates)} days: that is not the index. Give the weights of all its members, as "
            "fractions; if this set is meant as it is, scale it so that it sums to 1"
        )
