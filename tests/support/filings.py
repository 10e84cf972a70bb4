"""Random company reports: late, restated, withdrawn, two on one day, some before the market's first day."""

from __future__ import annotations

import numpy as np

from deepfactor.panel.fundamentals import NO_QUARTER, Events, Fundamentals
from support.toy import weekdays

Row = tuple[int, int, int, float]  # stock, quarter, day known, value


def random_rows(rng: np.random.Generator, stocks: int, first: int, quarters: int, *, flow: bool = True) -> list[Row]:
    """Reports of `quarters` quarters from `first` on: one in ten missing, one in five restated, one in fifteen NaN."""
    rows = []
    for stock in range(stocks):
        for quarter in range(first, first + quarters):
            if rng.random() < 0.1:
                continue
            known = day_of(quarter) + int(rng.integers(20, 130))
            for _ in range(1 + int(rng.random() < 0.2) + int(rng.random() < 0.1)):
                value = np.nan if rng.random() < 1 / 15 else float(np.round(rng.normal(1, 3), 3))
                rows.append((stock, quarter if flow else NO_QUARTER, known, value))
                known += int(rng.integers(1, 200))
    return rows


def day_of(quarter: int) -> int:
    """Last day of a quarter, since 1970."""
    month = np.datetime64(f"{quarter // 4}-{quarter % 4 * 3 + 3:02d}") + 1
    return int(month.astype("datetime64[D]").astype(int)) - 1


def events(rows: list[Row]) -> Events:
    """Sorted, one figure a (stock, quarter, day): the last given stands."""
    unique = {row[:3]: row[3] for row in rows}
    keys = np.array(sorted(unique), dtype=np.int64).reshape(-1, 3)
    return Events(keys[:, 0], keys[:, 1], keys[:, 2], np.array([unique[tuple(k)] for k in keys.tolist()]))


def random_fundamentals(
    seed: int, items: tuple[str, ...], stocks: int = 4, days: int = 500, years: int = 4
) -> Fundamentals:
    rng = np.random.default_rng(seed)
    dates = weekdays(days)
    first = int(str(dates[0])[:4]) * 4 - 4 * years + 2
    made = {item: events(random_rows(rng, stocks, first, 4 * years + 6, flow=item != "total_shares")) for item in items}
    return Fundamentals(dates, stocks, made)


class Known:
    """One stock's figures of one item as known at the close of a day, asked one by one."""

    def __init__(self, events: Events, stock: int, day: int) -> None:
        rows = zip(*(getattr(events, k).tolist() for k in ("column", "quarter", "known", "value")), strict=True)
        mine = sorted((k, q, v) for c, q, k, v in rows if c == stock and k <= day)
        self.figures = {q: v for _, q, v in mine}
        self.latest = max(self.figures, default=None)

    def __call__(self, quarter: int) -> float:
        return self.figures.get(quarter, np.nan)

    def single(self, quarter: int) -> float:
        """Out of years to date."""
        return self(quarter) if quarter % 4 == 0 else self(quarter) - self(quarter - 1)

    def trailing(self, quarter: int) -> float:
        """Out of years to date."""
        if quarter % 4 == 3:
            return self(quarter)
        return self(quarter) + self(quarter - quarter % 4 - 1) - self(quarter - 4)
