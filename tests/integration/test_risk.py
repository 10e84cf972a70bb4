"""`deepfactor risk` on a simulated market: made, shown in both languages, not made again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.checksums import unsealed
from deepfactor.risk.files import NAME
from support.cli import deepfactor, refused, strict_json

HAN = re.compile("[一-鿿]")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("risk") / "market"
    made = deepfactor("simulate", path, "--stocks", 200, "--start", "2019-01-02", "--end", "2019-12-31")
    assert made.code == 0, made.err
    return path


def test_it_is_made_and_shown(market: Path) -> None:
    record = deepfactor("risk", market, "--styles", "study_a", "--json").json()
    assert record["days"] > 240
    assert record["first"] < "2019-06"
    assert 0.1 < record["explained"] < 0.9
    assert record["specific_5"] < record["specific_50"] < record["specific_95"] < 2.0
    factors = {one["name"]: one for one in record["factors"]}
    assert {"market", "SIZE", "LIQUIDITY"} <= factors.keys()
    assert factors["market"]["part"] == "market"
    assert 0.1 < factors["market"]["volatility"] < 0.6
    assert all(0.4 < one["bias"] < 2.5 for one in record["factors"])
    written = unsealed(strict_json((Path(record["folder"]) / NAME).read_text(encoding="utf-8")))
    assert written["rows"] == record["days"]

    english, chinese = (deepfactor("risk", market, "--styles", "study_a", "--language", x) for x in ("en", "zh"))
    assert "volatility a year" in english.out
    assert not HAN.search(english.out)
    for line in chinese.out.splitlines():
        assert HAN.search(line) or "industry" in line or re.search(r"\d%", line), line
    assert "市值" in chinese.out
    again = deepfactor("risk", market, "--styles", "study_a", "--json").json()
    assert again == record


def test_an_unknown_style_set_is_refused(market: Path) -> None:
    refused(deepfactor("risk", market, "--styles", "barra"), "barra_cne5")


def test_a_market_that_is_too_short_has_no_forecast(tmp_path: Path) -> None:
    path = tmp_path / "short"
    assert deepfactor("simulate", path, "--stocks", 60, "--start", "2019-01-02", "--end", "2019-03-01").code == 0
    ended = deepfactor("risk", path, "--styles", "basic")
    assert ended.code == 0, ended.err
    assert "too short" in ended.out
    record = deepfactor("risk", path, "--styles", "basic", "--json").json()
    assert record["first"] is None
    assert record["factors"] == []
    assert np.isfinite(record["days"])
