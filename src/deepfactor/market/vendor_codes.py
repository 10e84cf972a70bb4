"""Codes of stocks as other vendors write them, as a market has them: only where no doubt is left."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deepfactor.core.errors import DataError
from deepfactor.market.boards import board_of

#: Names of the exchanges, ours first: JoinQuant and RiceQuant, Yahoo, Wind, ISO 10383 and others.
_EXCHANGES = {
    "SH": ("SH", "XSHG", "SS", "SSE", "SHSE"),
    "SZ": ("SZ", "XSHE", "SZSE", "SZE"),
    "BJ": ("BJ", "XBSE", "XBEI", "BSE", "BJSE"),
}
_OURS = {theirs: ours for ours, names in _EXCHANGES.items() for theirs in names}
_BEHIND = re.compile(r"(\d{6})[._-]?([A-Z]+)", re.ASCII)
_AHEAD = re.compile(r"([A-Z]+)[._:-]?(\d{6})", re.ASCII)
_BARE = re.compile(r"(\d{1,6})(?:\.0+)?", re.ASCII)
#: What spreadsheets and brokers put around digits so that their zeros stay: ``="000001"``, ``'000001``.
_QUOTED = re.compile(r"""(?:="?|['`])([^"']+)["']?""")


def as_market_has_them(texts: Iterable[str], known: frozenset[str]) -> dict[str, str]:
    """Each code and the symbol that it stands for; itself where it isn't understood.

    A code with an exchange's name in any usual form is that exchange's. Six bare digits are the A-share that has them
    (no digits are in two exchanges' ranges of stocks); fewer digits have lost their zeros, and count where the market
    has that stock.

    Parameters
    ----------
    known : the market's symbols
    """
    return {text: text if text in known else _meant(text, known) or text for text in texts}


def is_code(text: str) -> bool:
    """Whether a text is a code by its form alone: digits with an exchange's name, or an A-share's six digits."""
    return _meant(text, frozenset()) is not None


def _meant(text: str, known: frozenset[str]) -> str | None:
    code = text.strip().upper()
    if match := _QUOTED.fullmatch(code):
        code = match[1].strip()
    if match := _BEHIND.fullmatch(code):
        return _named(match[1], match[2])
    if match := _AHEAD.fullmatch(code):
        return _named(match[2], match[1])
    if (match := _BARE.fullmatch(code)) is None:
        return None
    code = match[1]
    stocks = [symbol for symbol in (f"{code.zfill(6)}.{exchange}" for exchange in _EXCHANGES) if _is_stock(symbol)]
    return stocks[0] if len(stocks) == 1 and (len(code) == 6 or stocks[0] in known) else None


def _named(digits: str, exchange: str) -> str | None:
    ours = _OURS.get(exchange)
    return f"{digits}.{ours}" if ours else None


def _is_stock(symbol: str) -> bool:
    try:
        board_of(symbol)
    except DataError:
        return False
    return True
