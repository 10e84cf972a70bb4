"""The vendors that can be asked, each with its wire, its pace and its plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError
from deepfactor.lake._baostock.calls import TABLES as BAOSTOCK_TABLES
from deepfactor.lake._baostock.calls import USUAL
from deepfactor.lake._baostock.plan import BaoStock
from deepfactor.lake._baostock.wire import ADDRESS, ADDRESS_WITH_KEY, BaoStockWire
from deepfactor.lake._tushare.calls import CALLS, STATEMENTS, TABLES
from deepfactor.lake._tushare.plan import INDICES, Tushare
from deepfactor.lake._tushare.wire import URL, TushareWire
from deepfactor.lake.credentials import token
from deepfactor.lake.fetching import Vendor
from deepfactor.lake.live import Live
from deepfactor.lake.pace import Clock, Pace
from deepfactor.lake.request import Fetcher

VENDORS = ("tushare", "baostock")
#: The environment's variables; BaoStock needs none, but takes the key of an account.
TOKEN, KEY = "TUSHARE_TOKEN", "BAOSTOCK_API_KEY"
#: Tushare's: of an account with the points that most tables need. BaoStock names none: five a second, one by one.
_A_MINUTE, _A_MINUTE_OF_BAOSTOCK = 200, 300


@dataclass(frozen=True)
class Opened:
    """A vendor that can be asked.

    Attributes
    ----------
    vendor, fetcher : its plan, and who asks
    tables, usual : names of its tables, and of those that are fetched unless others are named
    close : ends the connection
    """

    vendor: Vendor
    fetcher: Fetcher
    tables: Sequence[str]
    usual: Sequence[str]
    close: Callable[[], None]


def open_vendor(
    name: str,
    *,
    token_file: Path | None,
    url: str | None,
    a_minute: int | None,
    indices: Sequence[str],
    by_stock: bool,
    clock: Clock,
    tell: Callable[[str], None],
) -> Opened:
    """The vendor `name`, nothing asked yet.

    Raises
    ------
    UserError
        there is no such vendor, or no token.
    """
    if name == "baostock":
        return _baostock(token_file, url, a_minute, indices, clock, tell)
    if name != "tushare":
        raise RecipeError(f"{name!r} is no vendor that can be fetched from: {choices(name, VENDORS)}", key="vendor")
    secret = token(TOKEN, token_file)
    if urlsplit(url or URL).scheme == "http" and urlsplit(url or URL).hostname not in ("127.0.0.1", "localhost", "::1"):
        tell("over http the token travels in clear: whoever is on the way can read it")
    limits = {api: call.a_minute for api, call in CALLS.items() if call.a_minute is not None}
    pace = Pace(clock, a_minute or _A_MINUTE, {api: min(limit, a_minute or limit) for api, limit in limits.items()})
    wire = TushareWire(secret, pace, url or URL)
    plan = Tushare(tuple(indices) or INDICES, by_stock)
    usual = [table for table in TABLES if table not in STATEMENTS]
    return Opened(plan, Live(wire, pace, clock, tell), TABLES, usual, wire.close)


def _baostock(
    key_file: Path | None,
    url: str | None,
    a_minute: int | None,
    indices: Sequence[str],
    clock: Clock,
    tell: Callable[[str], None],
) -> Opened:
    """BaoStock, as a guest or, with a key, as an account."""
    given = key_file is not None or KEY in os.environ or f"{KEY}_FILE" in os.environ
    key = token(KEY, key_file) if given else None
    wire = BaoStockWire(clock, _address(url) if url else ADDRESS_WITH_KEY if key else ADDRESS, key)
    pace = Pace(clock, a_minute or _A_MINUTE_OF_BAOSTOCK)
    plan = BaoStock(tuple(indices) or INDICES)
    return Opened(plan, Live(wire, pace, clock, tell), BAOSTOCK_TABLES, USUAL, wire.close)


def _address(url: str) -> tuple[str, int]:
    """``tcp://host:port`` as host and port."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "tcp" and parts.hostname and parts.port:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise RecipeError(f"{url!r} is no address of BaoStock's, such as tcp://public-api.baostock.com:10030", key="--url")
