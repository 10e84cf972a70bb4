"""Daily price limits in the day loop: percentages by board, date, ST and listing day; prices in integer fen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.sources._simulation.calendar import Clock
from deepfactor.sources._simulation.cross_section import Labels, Mask
from deepfactor.sources._simulation.firms import Board, Firms

#: Dates from which a rule holds (Shanghai, Shenzhen and Beijing exchange trading rules).
LISTING_DAY_44, CHINEXT_20, MAIN_FREE_LISTING, ST_10 = "2014-06-13", "2020-08-24", "2023-04-10", "2026-07-06"


@dataclass(frozen=True)
class Limits:
    """Upper and lower limits of a day, (N,) int64.

    Attributes
    ----------
    highest, lowest : fen
        what a price can be: the limits, or far bounds on a free day.
    free : bool
        no limit today.
    """

    highest: Labels
    lowest: Labels
    free: Mask


@dataclass(frozen=True)
class LimitRule:
    """The rules' dates as rows of a clock."""

    firms: Firms
    listing_day_44: int
    chinext_20: int
    main_free_listing: int
    st_10: int

    @classmethod
    def on(cls, clock: Clock, firms: Firms) -> LimitRule:
        """The rules placed on a market's clock."""
        return cls(firms, *(clock.row(day) for day in (LISTING_DAY_44, CHINEXT_20, MAIN_FREE_LISTING, ST_10)))

    def percent(self, row: int, st: Mask) -> tuple[Labels, Labels]:
        """(up, down) percentages on `row`, each (N,) int64; 0 = free."""
        board, listing = self.firms.board, self.firms.list_row
        main, chinext = board == Board.MAIN, board == Board.CHINEXT
        age = row - listing
        main_pct = np.where(st & (row < self.st_10), 5, 10)
        chinext_pct = np.full(len(board), 20) if row >= self.chinext_20 else np.where(st, 5, 10)
        pct = np.where(main, main_pct, np.where(chinext, chinext_pct, np.where(board == Board.STAR, 20, 30)))
        five_free = (board == Board.STAR) | (chinext & (listing >= self.chinext_20))
        five_free |= main & (listing >= self.main_free_listing)
        first_day = age == 0
        old_listing = first_day & (main | chinext) & ~five_free
        free = (five_free & (age >= 0) & (age < 5)) | (first_day & (board == Board.BEIJING))
        free |= old_listing & (row < self.listing_day_44)
        up = np.where(free, 0, np.where(old_listing, 44, pct))
        down = np.where(free, 0, np.where(old_listing, 36, pct))
        return up, down

    def prices(self, row: int, st: Mask, reference: Labels) -> Limits:
        """Limits around the reference price (fen), rounded half up."""
        up, down = self.percent(row, st)
        free = up == 0
        highest = np.where(free, reference * 4, (reference * (100 + up) + 50) // 100)
        lowest = np.where(free, reference // 3 + 1, (reference * (100 - down) + 50) // 100)
        return Limits(highest, np.maximum(lowest, 1), free)
