"""Indices by the names that people use: ``csi300``, ``CSI 300``, ``沪深300``, ``000300``, ``399300.SZ`` are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType

#: Code → names, folded as `_folded` does it. CSI's codes; Shenzhen lists several under one of its own (`TWINS`).
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "000300.SH": ("csi300", "hs300", "沪深300"),
        "000905.SH": ("csi500", "zz500", "中证500"),
        "000852.SH": ("csi1000", "zz1000", "中证1000"),
        "000906.SH": ("csi800", "zz800", "中证800"),
        "000985.SH": ("csiallshare", "csiall", "zzqz", "中证全指"),
        "000016.SH": ("sse50", "sz50", "上证50"),
        "932000.CSI": ("csi2000", "zz2000", "中证2000"),
    }
)
#: Shenzhen's code → CSI's.
TWINS: Mapping[str, str] = MappingProxyType(
    {
        "399300.SZ": "000300.SH",
        "399905.SZ": "000905.SH",
        "399852.SZ": "000852.SH",
        "399906.SZ": "000906.SH",
        "399985.SZ": "000985.SH",
    }
)
_BY_NAME = {name: code for code, names in NAMES.items() for name in names}
_EXCHANGES = {"sh": "SH", "ss": "SH", "xshg": "SH", "sz": "SZ", "xshe": "SZ", "csi": "CSI"}
_CODE = re.compile(r"(\d{6})(?:\.?(sh|ss|xshg|sz|xshe|csi))?|(sh|sz)\.?(\d{6})")


def index_named(asked: str, known: Iterable[str]) -> str | None:
    """Which of the `known` index codes `asked` means; None where none or more than one fits."""
    codes = list(known)
    if asked in codes:
        return asked
    wanted = canonical(asked)
    matches = [code for code in codes if canonical(code) == wanted]
    if not matches and "." not in wanted:
        matches = [code for code in codes if canonical(code).partition(".")[0] == wanted]
    return matches[0] if len(matches) == 1 else None


def canonical(name: str) -> str:
    """One form of an index's name: CSI's code of a known one, else code and exchange, bare digits, or the name."""
    folded = re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold())
    if folded in _BY_NAME:
        return _BY_NAME[folded]
    code = _CODE.fullmatch(folded)
    if code is None:
        return folded
    digits, exchange = code[1] or code[4], _EXCHANGES.get(code[2] or code[3] or "")
    if exchange is None:
        own = [one for one in (*NAMES, *TWINS) if one.startswith(digits)]
        return TWINS.get(own[0], own[0]) if own else digits
    return TWINS.get(f"{digits}.{exchange}", f"{digits}.{exchange}")
