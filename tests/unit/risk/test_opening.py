"""A model on disk: day by day as in one go, killed or damaged, with new stocks, and with another past."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core import files
from deepfactor.risk import opening
from deepfactor.risk.estimation import Market
from deepfactor.risk.files import NAME
from deepfactor.risk.model import RiskModel
from deepfactor.risk.opening import open_model
from deepfactor.risk.settings import RiskSettings
from support.risk import known_market

SETTINGS = RiskSettings()
ARRAYS = ("dates", "returns", "covariance", "explained", "regimes", "ends", "stock", "specific")


@pytest.fixture(scope="module")
def market() -> Market:
    return known_market(days=130, stocks=40).market


def until(market: Market, days: int, *, without: int | None = None) -> Market:
    """The market at the close of a day; without a stock that isn't listed yet."""
    panel, universe = market.panel.until(days - 1), market.universe.until(days - 1)
    styles = {name: x[:days] for name, x in market.styles.items()}
    panel = replace(panel, fingerprint=f"day {days}")
    if without is None:
        return Market(panel, universe, styles)
    kept = np.arange(panel.shape[1]) != without
    fields = {name: x[:, kept] for name, x in panel.fields.items()}
    panel = replace(panel, symbols=panel.symbols[kept], fields=fields)
    by_stock = ("listed", "traded", "st", "limit_up", "limit_down", "industry")
    changed = {name: getattr(universe, name)[:, kept] for name in by_stock}
    universe = replace(universe, symbols=universe.symbols[kept], **changed)
    return Market(panel, universe, {name: x[:, kept] for name, x in styles.items()})


def same(a: RiskModel, b: RiskModel) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    for row in (0, len(a.dates) // 2, len(a.dates) - 1):
        np.testing.assert_array_equal(a.deviation(row), b.deviation(row))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


def test_day_by_day_is_as_in_one_go(market: Market, tmp_path: Path) -> None:
    for days in (60, 61, 80, 129, 130):
        model = open_model(tmp_path / "by day", until(market, days), SETTINGS)
    same(model, open_model(tmp_path / "whole", until(market, 130), SETTINGS))
    assert contents(tmp_path / "by day") == contents(tmp_path / "whole")


def test_what_is_there_is_not_made_again(market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_model(tmp_path, until(market, 100), SETTINGS)
    monkeypatch.setattr(opening, "follow", lambda *_: pytest.fail("made again"))
    same(first, open_model(tmp_path, until(market, 100), SETTINGS))
    renamed = until(market, 100)
    renamed = replace(renamed, panel=replace(renamed.panel, fingerprint="another delivery of the same"))
    same(first, open_model(tmp_path, renamed, SETTINGS))


@pytest.mark.parametrize("write", range(1, 4))
def test_killed_it_goes_on(market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int) -> None:
    """Before the state, before ``risk.json``, or before the second block."""
    monkeypatch.setattr(opening, "_BLOCK", 50)
    count = 0
    real = files.os.replace

    def dies(old: object, new: object) -> None:
        nonlocal count
        count += 1
        if count == write + 1:
            raise KeyboardInterrupt
        real(old, new)  # type: ignore[arg-type]

    monkeypatch.setattr(files.os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        open_model(tmp_path / "killed", until(market, 130), SETTINGS)
    monkeypatch.setattr(files.os, "replace", real)
    model = open_model(tmp_path / "killed", until(market, 130), SETTINGS)
    same(model, open_model(tmp_path / "whole", until(market, 130), SETTINGS))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.parametrize("name", [NAME, "covariance.npy", "specific.npy", "state-90.npz"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_damage_is_said_and_mended(market: Market, tmp_path: Path, name: str, damage: str) -> None:
    first = open_model(tmp_path, until(market, 90), SETTINGS)
    kept = {one: np.array(getattr(first, one)) for one in ARRAYS}
    path = tmp_path / name
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 4
    path.unlink()
    if damage != "gone":
        path.write_bytes(bytes(body) if damage == "flip" else bytes(body[:-9]))
    said: list[str] = []
    again = open_model(tmp_path, until(market, 90), SETTINGS, tell=said.append)
    for one in ARRAYS:
        np.testing.assert_array_equal(getattr(again, one), kept[one])
    assert (name == NAME and damage == "gone") or any("made again" in line for line in said)


def test_another_past_is_said_and_the_model_made_again(market: Market, tmp_path: Path) -> None:
    open_model(tmp_path / "one", until(market, 100), SETTINGS)
    revised = until(market, 101)
    close = revised.panel["close"].copy()
    close[40, 3] *= 1.01
    revised = replace(revised, panel=replace(revised.panel, fields={**revised.panel.fields, "close": close}))
    said: list[str] = []
    model = open_model(tmp_path / "one", revised, SETTINGS, tell=said.append)
    assert len(said) == 1
    assert "past" in said[0]
    same(model, open_model(tmp_path / "two", revised, SETTINGS))


@pytest.mark.parametrize(("known", "compared"), [(100, 1), (99, 101), (None, 101)])
def test_a_past_that_the_panel_went_on_from_is_not_compared(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: int | None, compared: int
) -> None:
    """Of its rows all must be known; the new day is linked to it."""
    open_model(tmp_path / "one", until(market, 100), SETTINGS)
    grown = until(market, 101)
    past = {"day 7": 7} if known is None else {"day 100": known}
    grown = replace(grown, panel=replace(grown.panel, past=past))
    linked, honest = [], opening.link
    monkeypatch.setattr(opening, "link", lambda *given: linked.append(given[1]) or honest(*given))
    model = open_model(tmp_path / "one", grown, SETTINGS)
    assert len(linked) == compared
    monkeypatch.undo()
    same(model, open_model(tmp_path / "two", grown, SETTINGS))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_new_stock_goes_into_the_model_that_is_there(market: Market, tmp_path: Path) -> None:
    newcomer, day = 5, 110
    listed, traded = market.universe.listed.copy(), market.universe.traded.copy()
    listed[:day, newcomer] = traded[:day, newcomer] = False
    later = Market(market.panel, replace(market.universe, listed=listed, traded=traded), market.styles)
    said: list[str] = []
    open_model(tmp_path / "one", until(later, day, without=newcomer), SETTINGS, tell=said.append)
    model = open_model(tmp_path / "one", until(later, 130), SETTINGS, tell=said.append)
    assert said == []
    whole = open_model(tmp_path / "two", until(later, 130), SETTINGS)
    np.testing.assert_allclose(model.covariance, whole.covariance, rtol=1e-12)
    for row in (day - 1, day, 129):
        np.testing.assert_allclose(model.deviation(row), whole.deviation(row), rtol=1e-6)
    assert np.isnan(model.deviation(day - 1)[newcomer])
    assert np.isfinite(model.deviation(129)[newcomer])
