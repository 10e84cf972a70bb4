"""Names of files and folders: no path is a pattern, and no locale stands in the way of Chinese."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import polars as pl
import pytest

from support.bars import bars
from support.cli import deepfactor, ended, strict_json
from support.factors import handmade_market, reversal

#: Whatever Python would make of a locale without a single letter outside ASCII.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.slow
def test_every_verb_takes_brackets_stars_and_chinese(tmp_path: Path) -> None:
    place = tmp_path / "数据[2021]*?"
    market = handmade_market(place, vendor="供应商[1]").rename(place / "M[1]")
    again = deepfactor("ingest", place / "供应商[1]/mapping.toml", market, "--folder", place / "供应商[1]")
    assert again.code == 0, again.err
    factor = place / "g*.parquet"
    reversal(bars()).write_parquet(factor)
    reversal(bars()).with_columns(-pl.col("score")).write_parquet(place / "gA.parquet")
    asked = (factor, "--market", market)
    out = place / "out[1]"
    tested = deepfactor("test", *asked, "--out", out, "--universe", "all", "--horizon", 5, "--json").json()
    plain = place / "plain.parquet"
    reversal(bars()).write_parquet(plain)
    other = deepfactor(
        "test", plain, "--market", market, "--out", place / "other", "--universe", "all", "--horizon", 5, "--json"
    )
    assert _means(tested) == _means(other.json())
    for words in (
        ("check", market, "--html", place / "a[1].html"),
        ("report", out),
        ("enhance", *asked, "--out", place / "e[1]*", "--index", "000905.SH"),
        ("combine", factor, place / "gA.parquet", "--market", market, "--out", place / "c[1].parquet"),
        ("compare", out, place / "e[1]*", "--out", place / "both[1]"),
    ):
        assert deepfactor(*words).code == 0, words
    assert pl.read_parquet(place / "c[1].parquet", glob=False).height == reversal(bars()).height


@pytest.mark.slow
def test_a_locale_without_chinese(tmp_path: Path) -> None:
    market = handmade_market(tmp_path / "市场")
    factor = tmp_path / "反转.parquet"
    reversal(bars()).write_parquet(factor)
    command = [sys.executable, "-m", "deepfactor", "test", str(factor), "--market", str(market), "--universe", "all"]
    environment = ASCII | {"PYTHONIOENCODING": "ascii"}
    done = ended([*command, "--out", str(tmp_path / "因子")], cwd=tmp_path, environment=environment)
    assert done.code == 0, done.err
    assert f"report: {tmp_path}/\\u56e0\\u5b50/report.html" in done.out
    done = ended([*command, "--out", str(tmp_path / "因子"), "--json"], cwd=tmp_path, environment=environment)
    assert strict_json(done.out)["factor"] == "反转"
    done = ended([*command, "--out", str(tmp_path / "因子"), "--arm", "无"], cwd=tmp_path, environment=environment)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert (tmp_path / "因子" / "arms" / "反转" / "factor_report.json").is_file()


def test_a_name_that_is_no_utf8_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "names").mkdir()
    file = os.fsencode(tmp_path / "names") + b"/\xd6\xd0.parquet"
    with open(file, "wb") as handle:
        handle.write(b"PAR1")
    done = deepfactor("test", os.fsdecode(file), "--market", tmp_path, "--out", tmp_path / "out")
    assert done.code == 2
    assert "is no UTF-8: rename the file or folder" in done.err
    assert not (tmp_path / "out").exists()


def _means(report: dict[str, object]) -> list[object]:
    records = report["records"]
    assert isinstance(records, list)
    return [record["rank_ic"] for record in records]
