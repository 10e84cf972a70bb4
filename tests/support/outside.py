"""No test speaks to a machine but this one: whoever tries is told so, and the test fails."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

#: Names of this machine that need no asking; who starts a server on another of its addresses adds that.
HERE = {"localhost", "", "::1"}
_installed = False


class OutsideCall(RuntimeError):
    """Something was about to ask another machine."""


def refuse_outside() -> None:
    """From now on connecting to, or looking up, another machine raises `OutsideCall` in this process, once for all."""
    global _installed
    if not _installed:
        sys.addaudithook(_hear)
        _installed = True


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        _require_here(event, arguments[1][0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        _require_here(event, arguments[0])


def _require_here(event: str, host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else "" if host is None else str(host)
    if name in HERE or _is_loopback(name):
        return
    raise OutsideCall(f"{event} to {name}: tests speak to this machine alone")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
