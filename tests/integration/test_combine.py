"""Factors combined: the verb on any files and runs, and a recipe's combinations from training to report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from support.cli import deepfactor, misused, refused
from support.recipe import TINY
from support.results import read

pytestmark = pytest.mark.usefixtures("styles_once")

LATELY = "horizon = 5, window = 20, min_days = 5"
RECIPE = (
    TINY.replace('name = "tiny"', 'name = "combined"')
    + f"""
[[combinations]]
name = "both"
of = ["gru", "decomp"]

[[combinations]]
name = "in_order"
of = ["decomp", "gru"]
method = "orthogonalised"
{LATELY.replace(", ", chr(10))}

[[portfolios]]
index = "000905.SH"
constraints = "study_b"
arms = ["both"]
"""
)


@dataclass(frozen=True)
class Made:
    market: Path
    run: Path

    def scores(self, arm: str) -> pl.DataFrame:
        return pl.read_parquet(self.run / "arms" / arm / "scores.parquet")

    def combine(self, out: Path, *factors: object, **options: object) -> dict:
        given = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        return deepfactor("combine", *factors, "--market", self.market, "--out", out, *given, "--json").json()


@pytest.fixture(scope="module")
def made(small_market: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("combined")
    (folder / "recipe.toml").write_text(RECIPE)
    ended = deepfactor(
        "run", folder / "recipe.toml", "--market", small_market, "--out", folder / "runs", "--workers", 0
    )
    assert ended.code == 0, ended.err
    return Made(small_market, folder / "runs" / "combined")


def zscored(frame: pl.DataFrame) -> pl.DataFrame:
    own = pl.col("score")
    return frame.with_columns((own - own.mean().over("date")) / own.std(ddof=0).over("date"))


def test_a_recipes_combination_is_an_arm_of_the_run(made: Made) -> None:
    joined = zscored(made.scores("gru")).join(zscored(made.scores("decomp")), on=["date", "symbol"], suffix="_b")
    expected = joined.select("date", "symbol", (pl.col("score") + pl.col("score_b")) / 2)
    both = made.scores("both")
    assert both.select("date", "symbol").equals(expected.select("date", "symbol"))
    assert (both["score"] - expected["score"]).abs().max() < 1e-12
    report = read(made.run / "report.json")
    names = ["gru", "decomp", "both", "in_order"]
    assert [arm["name"] for arm in report["arms"]] == names
    assert list(read(made.run / "model_correlation.json")) == names
    for name in ("both", "in_order"):
        assert read(made.run / "arms" / name / "factor_report.json")["records"]
    assert [(p["arm"], p["index"]) for p in report["portfolios"]] == [("both", "000905.SH")]
    page = (made.run / "report.html").read_text(encoding="utf-8")
    assert "orthogonalised" in page


def test_weights_and_what_was_left_out_are_told(made: Made) -> None:
    said = read(made.run / "arms" / "in_order" / "combination.json")
    assert said["factors"] == ["decomp", "gru"]
    assert (said["method"], said["horizon"], said["convention"]) == ("orthogonalised", 5, "t1_close")
    # Five RankICs whose returns have ended: of days 0 … 4, the last of which ends on day 10, so from day 11 on.
    assert said["dropped"]["days_without_weights"] >= 11
    assert said["days"] == made.scores("in_order")["date"].n_unique()
    assert abs(sum(said["weights"].values()) - 1) < 1e-9
    assert read(made.run / "arms" / "in_order" / "training.json") == {"jobs": [], "importance": said["weights"]}
    left_out = read(made.run / "arms" / "in_order" / "factor_report.json")["dropped"]
    assert left_out["days_without_weights"] == said["dropped"]["days_without_weights"]


def test_the_verb_does_what_the_recipe_does(made: Made, tmp_path: Path) -> None:
    found = made.combine(tmp_path / "f.parquet", f"{made.run}:gru", f"{made.run}:decomp")
    assert pl.read_parquet(tmp_path / "f.parquet").equals(made.scores("both"))
    assert (found["factors"], found["weights"]) == (["gru", "decomp"], {"gru": 0.5, "decomp": 0.5})
    lately = {"method": "orthogonalised", "horizon": 5, "window": 20, "min_days": 5}
    found = made.combine(tmp_path / "o.parquet", f"{made.run}:decomp", f"{made.run}:gru", **lately)
    assert pl.read_parquet(tmp_path / "o.parquet").equals(made.scores("in_order"))
    own = {"rows": 0, "out": 0}
    assert found | own == read(made.run / "arms" / "in_order" / "combination.json") | own


def test_the_verb_takes_files_and_a_runs_combination(made: Made, tmp_path: Path) -> None:
    frame = made.scores("gru")
    frame.sample(fraction=0.6, seed=0).write_csv(tmp_path / "mine.csv")
    (tmp_path / "other").mkdir()
    stranger = pl.concat([frame, frame[:1].with_columns(symbol=pl.lit("999999.SZ"))])
    stranger.write_parquet(tmp_path / "other" / "mine.parquet")
    files = (tmp_path / "mine.csv", tmp_path / "other" / "mine.parquet", f"{made.run}:both")
    found = made.combine(tmp_path / "f.parquet", *files)
    assert found["factors"] == ["mine#1", "mine#2", "both"]
    assert found["dropped"]["not_scored_by_mine#1"] == frame.height - found["scores"] > 0
    assert found["rows"]["mine#2"]["dropped"] == {"symbol not in market": 1}
    assert pl.read_parquet(tmp_path / "f.parquet").height == found["scores"]
    ended = deepfactor("combine", *files, "--market", made.market, "--out", tmp_path / "again.parquet")
    assert ended.code == 0
    assert "left out: not_scored_by_mine#1: " in ended.out


def test_the_verb_refuses(made: Made, tmp_path: Path) -> None:
    run, out = made.run, tmp_path / "f.parquet"
    both = (f"{run}:gru", f"{run}:decomp")

    def asked(*factors: object, to: Path = out, more: tuple[object, ...] = ()):  # type: ignore[no-untyped-def]
        return deepfactor("combine", *factors, "--market", made.market, "--out", to, *more)

    refused(asked(run, *both), str(run), "gru, decomp, both, in_order", "RUN:ARM")
    refused(asked(f"{run}:grue", *both), "'grue'", "gru, decomp, both, in_order")
    refused(asked(tmp_path / "gone.parquet", *both), "gone.parquet", "no such factor file")
    refused(asked(both[0]), "at least two factors", "gru")
    refused(asked(*both, to=tmp_path / "f.csv"), "f.csv", ".parquet")
    file = run / "arms" / "gru" / "scores.parquet"
    refused(asked(file, both[1], to=file), str(file), "another --out")
    refused(asked(*both, more=("--method", "best")), "combine.method", "'best'")
    refused(asked(*both, more=("--window", 5)), "min_days 60 of a window of 5")
    misused(asked(), "factors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('of = ["gru", "decomp"]', 'of = ["gru", "decom"]', ("combinations.0.of", "'decom'", "gru, decomp")),
        ('of = ["gru", "decomp"]', 'of = ["gru"]', ("combinations.0.of",)),
        ('of = ["gru", "decomp"]', 'of = ["gru", "gru"]', ("combinations.0.of", "twice")),
        ('name = "both"', 'name = "gru"', ("combinations.0.name", "'gru'")),
        ('method = "orthogonalised"', 'method = "pca"', ("combinations.1.method", "'pca'")),
        ("min_days = 5", "min_days = 50", ("combinations.1", "min_days 50")),
        ('arms = ["both"]', 'arms = ["all"]', ("portfolios.0.arms", "'all'", "both, in_order")),
    ],
)
def test_a_bad_combination(old: str, new: str, named: tuple[str, ...], small_market: Path, tmp_path: Path) -> None:
    assert RECIPE.count(old) == 1
    (tmp_path / "bad.toml").write_text(RECIPE.replace(old, new))
    more = ("--market", small_market, "--out", tmp_path / "runs", "--workers", 0)
    refused(deepfactor("run", tmp_path / "bad.toml", *more), *named)
    assert not (tmp_path / "runs").exists()
