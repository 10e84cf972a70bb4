"""What a code is that is no A-share's, in a user's words: another kind of security, another exchange, another form.

Source: the ranges of codes that SSE, SZSE and BSE publish for each kind of security.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from deepfactor.market.boards import find_board

_OURS = re.compile(r"[0-9]{6}\.(SH|SZ|BJ)")
#: Six digits with an exchange as vendors write it, before or behind.
_OTHER = re.compile(r"(?:([a-z]+)[._]?)?([0-9]{6})(?:[._]?([a-z]+))?", re.IGNORECASE)
_EXCHANGES = {
    **dict.fromkeys(("SH", "SS", "SSE", "SHSE", "XSHG"), "SH"),
    **dict.fromkeys(("SZ", "SZSE", "XSHE"), "SZ"),
    **dict.fromkeys(("BJ", "BSE", "BJSE", "XBSE", "XBEI"), "BJ"),
}
#: Exchange, leading digits and kind of security; the first that fits counts.
_KINDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "SH": (
        ("900", "a B-share"),
        ("000", "an index"),
        ("11", "a convertible bond"),
        ("36", "a preferred share"),
        ("5", "a fund or warrant"),
        ("7", "a subscription or vote"),
        ("20", "a repurchase"),
        ("88", "an index"),
        ("99", "an index"),
        ("0", "a bond"),
        ("1", "a bond"),
    ),
    "SZ": (
        ("20", "a B-share"),
        ("39", "an index"),
        ("12", "a convertible bond"),
        ("14", "a preferred share"),
        ("15", "a fund"),
        ("16", "a fund"),
        ("18", "a fund"),
        ("1", "a bond"),
        ("0", "a warrant or subscription"),
        ("3", "a subscription or vote"),
    ),
    "BJ": (
        ("889", "a subscription"),
        ("899", "an index"),
        ("81", "a bond"),
        ("82", "a preferred share"),
        ("40", "a delisted company's"),
        ("42", "a delisted company's"),
    ),
}


def what_is(code: str) -> str:
    """What a code is that is no A-share's such as ``600000.SH``, as a noun with what stands against it."""
    if _OURS.fullmatch(code) is None:
        other = other_form_of(code)
        return f"{other} in another form" if other else "no code such as 600000.SH"
    digits, _, exchange = code.partition(".")
    home = _home_of(digits)
    kind = next((kind for prefix, kind in _KINDS[exchange] if digits.startswith(prefix)), None)
    if kind is None:
        return f"{home} with the wrong exchange" if home else "of no known kind"
    return f"{kind}, or {home} with the wrong exchange" if home and kind == "an index" else kind


def other_form_of(code: str) -> str | None:
    """The A-share that a code in another form than ours must mean, as in ``sh600000``; None where there is none."""
    match = _OTHER.fullmatch(code.strip())
    if match is None or _OURS.fullmatch(code) or (match[1] and match[3]):
        return None
    named = match[1] or match[3]
    if named is None:
        return _home_of(match[2])
    exchange = _EXCHANGES.get(named.upper())
    symbol = f"{match[2]}.{exchange}"
    return symbol if exchange and find_board(symbol) is not None else None


def _home_of(digits: str) -> str | None:
    """The A-share with these digits, on whatever exchange; a code is one of a single exchange."""
    symbols = (f"{digits}.{exchange}" for exchange in ("SH", "SZ", "BJ"))
    return next((symbol for symbol in symbols if find_board(symbol) is not None), None)


def named(codes: Collection[str]) -> str:
    """The first three of `codes`, and whether there are more."""
    return ", ".join([*sorted(codes)[:3], *(["…"] if len(codes) > 3 else [])])
