"""The tests' own guard: another machine is asked by nobody."""

from __future__ import annotations

import re
import socket
from datetime import date
from pathlib import Path

import pytest

from deepfactor.pipeline.fetching import FetchOptions, fetch
from support.clock import FakeClock
from support.outside import OutsideCall


@pytest.mark.parametrize("host", ["192.0.2.1", "8.8.8.8", "example.com", "api.tushare.pro", "2001:db8::1"])
def test_another_machine_is_refused(host: str) -> None:
    with pytest.raises(OutsideCall, match=re.escape(host)):
        socket.create_connection((host, 80), timeout=0.1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.53"])
def test_this_machine_is_not(host: str) -> None:
    with pytest.raises(OSError, match=r"refused|timed out"), socket.create_connection((host, 9), timeout=0.5):
        pass


def test_the_clients_at_their_vendors_own_addresses_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUSHARE_TOKEN", "a-token-of-nobody")
    for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    for vendor in ("tushare", "baostock"):
        with pytest.raises(OutsideCall):
            fetch(vendor, tmp_path / vendor, date(2019, 1, 2), FetchOptions(until=date(2019, 1, 3)), clock=FakeClock())
