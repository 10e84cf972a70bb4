"""The whole way through the command line: market, training, tests, portfolio, report; and once more."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from support.cli import deepfactor
from support.results import contents, daily, read

ARMS = ("gru_ic", "decomp_gru_ic")
SCORES = {"date": pl.Date, "symbol": pl.String, "score": pl.Float64}

#: The public columns, of cli.md's "Files that others read". A change here is a change of version.
ARM_TABLES = {
    "scores": SCORES,
    "scores_seed0": SCORES,
    "scores_seed1": SCORES,
    "ic_series": {
        "date": pl.Date,
        "universe": pl.String,
        "convention": pl.String,
        "names": pl.String,
        "horizon": pl.Int64,
        "ic": pl.Float64,
        "rank_ic": pl.Float64,
        "n": pl.Int64,
    },
}
PORTFOLIO_TABLES = {
    "weights": {
        "date": pl.Date,
        "symbol": pl.String,
        "weight": pl.Float64,
        "realised_weight": pl.Float64,
        "benchmark_weight": pl.Float64,
    },
    "trades": {
        "date": pl.Date,
        "symbol": pl.String,
        "side": pl.String,
        "shares": pl.Float64,
        "price": pl.Float64,
        "cost": pl.Float64,
        "reason": pl.String,
    },
    "rejected": {"date": pl.Date, "symbol": pl.String, "side": pl.String, "shares": pl.Float64, "reason": pl.String},
    "nav": {
        "date": pl.Date,
        "nav": pl.Float64,
        "benchmark_nav": pl.Float64,
        "excess_nav": pl.Float64,
        "cash": pl.Float64,
    },
    "exposures": {"date": pl.Date, "part": pl.String, "name": pl.String, "active": pl.Float64},
    "relaxations": {"date": pl.Date, "constraint": pl.String, "bound": pl.Float64, "value": pl.Float64},
}
STATISTICS = {"mean", "std", "icir", "win_rate", "t_newey_west", "n"}
RECORD = {
    "arm", "seed", "universe", "convention", "horizon", "sampling", "names", "rank_ic", "ic", "annualised_icir",
    "by_year",
}  # fmt: skip


def stamps(jobs: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every file under a job store."""
    return {
        str(p.relative_to(jobs)): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(jobs.rglob("*")) if p.is_file()
    }


@pytest.fixture
def copied(main_job, tmp_path) -> Path:
    """The runs folder to write into."""
    return Path(shutil.copytree(main_job.runs, tmp_path / "runs"))


def again(main_job, runs: Path, *more: str):
    arguments = ("run", main_job.recipe, "--market", main_job.market, "--out", runs, "--workers", 0, "--json")
    return deepfactor(*arguments, *more)


# what a run leaves


def test_json_alone_on_standard_output(main_job):
    answer = main_job.ended.json()
    assert answer == {"run": str(main_job.run), "report": str(main_job.run / "report.html"), "failures": []}
    assert "small: 4 jobs, 0 done before" in main_job.ended.err


@pytest.mark.parametrize("arm", ARMS)
def test_an_arms_tables_have_the_public_columns(main_job, arm):
    for name, columns in ARM_TABLES.items():
        path = main_job.run / "arms" / arm / f"{name}.parquet"
        assert dict(pl.read_parquet_schema(path)) == columns, name
    scores = pl.read_parquet(main_job.run / "arms" / arm / "scores.parquet")
    assert scores.equals(scores.sort("date", "symbol"))
    assert scores["score"].is_finite().all()
    assert scores["date"].dt.year().unique().to_list() == [2020]


def test_the_ensemble_scores_every_day_and_name_that_a_seed_scores(main_job):
    place = main_job.run / "arms" / "gru_ic"
    ensemble, *seeds = (pl.read_parquet(place / f"{n}.parquet") for n in ("scores", "scores_seed0", "scores_seed1"))
    for seed in seeds:
        assert ensemble.select("date", "symbol").equals(seed.select("date", "symbol"))
        assert seed["score"].n_unique() > seed.height // 2
    assert not seeds[0].equals(seeds[1])


def test_the_portfolio_has_the_public_columns(main_job):
    place = main_job.run / "portfolio" / "gru_ic" / "000905.SH" / "study_b"
    for name, columns in PORTFOLIO_TABLES.items():
        found = dict(pl.read_parquet_schema(place / f"{name}.parquet"))
        assert {column: found.get(column) for column in columns} == columns, name
    assert {"all", "by_year"} <= read(place / "summary.json").keys()
    assert [p.name for p in (main_job.run / "portfolio").iterdir()] == ["gru_ic"]


def test_the_first_screens_book_is_that_of_the_last_fills(main_job):
    """The last signal of a span is not filled: its weights are no holdings."""
    place = next((main_job.run / "portfolio").glob("*/*/*"))
    weights = pl.read_parquet(place / "weights.parquet").drop_nulls("realised_weight")
    last = weights.filter(pl.col("date") == weights["date"].max()).sort("realised_weight", descending=True)
    shown = read(main_job.run / "report.json")["tables"]["book_holdings"]
    assert shown[0]["weight"] == pytest.approx(last["realised_weight"][0])
    assert {row["symbol"] for row in shown} == set(last["symbol"].head(len(shown)))
    leans = pl.read_parquet(place / "exposures.parquet")
    assert set(leans["part"]) == {"style", "industry"}
    total = leans.filter(pl.col("part") == "industry").group_by("date").agg(pl.col("active").sum())
    assert total["active"].abs().max() < 1e-6  # the book less as much of the replica as is invested


def test_the_portfolio_is_plausible(main_job):
    place = main_job.run / "portfolio" / "gru_ic" / "000905.SH" / "study_b"
    weights, nav = pl.read_parquet(place / "weights.parquet"), pl.read_parquet(place / "nav.parquet")
    sums = weights.group_by("date").agg(pl.col("weight").sum(), pl.col("benchmark_weight").sum())
    np.testing.assert_allclose(sums["weight"], 0.995, atol=1e-6)  # cash of 0.005
    np.testing.assert_allclose(sums["benchmark_weight"], 1, atol=1e-6)
    assert (weights["weight"] >= 0).all()
    assert len(sums) > 45
    assert set(sums["date"]) <= set(nav["date"])
    assert (nav["nav"] > 0).all()
    summary = read(place / "summary.json")["all"]
    assert summary["tracking_error"] > 0
    np.testing.assert_allclose(nav["excess_nav"], nav["nav"] / nav["benchmark_nav"], rtol=1e-12)


@pytest.mark.parametrize("arm", ARMS)
def test_the_factor_report_has_the_public_keys(main_job, arm):
    report = read(main_job.run / "arms" / arm / "factor_report.json")
    keys = "factor market span records groups top_n autocorrelation style_correlation dropped"
    added = "decay long_leg style_correlations styles_absent residual_ic seed_spread"
    assert set(keys.split()) | set(added.split()) <= report.keys()
    assert {entry["horizon"] for entry in report["decay"]} == set(range(1, 21))
    assert {entry["n_seeds"] for entry in report["seed_spread"]} == {2}
    for record in report["records"]:
        assert record.keys() == RECORD
        assert record["rank_ic"].keys() == record["ic"].keys() == STATISTICS
        assert record["by_year"].keys() == {"2020"}
    assert {r["seed"] for r in report["records"]} == {None, 0, 1}
    assert {r["arm"] for r in report["records"]} == {arm}
    by_seed = {seed: len(daily(report, seed=seed)) for seed in (None, 0, 1)}
    assert by_seed == dict.fromkeys(by_seed, 4 * 3 * 4), "universes, conventions, horizons"
    assert [group["n"] for group in report["groups"]] == [20, 5, 10, 10]
    for group in report["groups"]:
        assert {"annual_return", "annual_excess", "sharpe", "max_drawdown", "turnover_one_sided"} <= group["top"].keys()
        assert group["top"]["max_drawdown"] < 0
    assert {top["name"] for top in report["top_n"]} == {"top10pct", "top100"}
    for top in report["top_n"]:
        assert {"name", "every", "convention", "gross", "net", "turnover_two_sided", "by_year"} <= top.keys()


def test_the_series_are_behind_the_means(main_job):
    place = main_job.run / "arms" / "gru_ic"
    series = pl.read_parquet(place / "ic_series.parquet").filter(pl.col("names") == "all")
    means = series.group_by("universe", "convention", "horizon").agg(pl.col("rank_ic").mean())
    found = {(u, c, h, None): mean for u, c, h, mean in means.iter_rows()}
    expected = daily(read(place / "factor_report.json"), seed=None)
    assert found.keys() == expected.keys()
    for key, mean in expected.items():
        assert found[key] == pytest.approx(mean, rel=1e-12), key


def test_what_styles_leave_is_behind_its_means(main_job):
    place = main_job.run / "arms" / "gru_ic"
    series = pl.read_parquet(place / "residual_ic_series.parquet")
    case = ("set", "universe", "convention", "horizon")
    assert series.columns == ["date", *case, "ic", "rank_ic", "n", "raw_rank_ic"]
    means = series.group_by(*case).agg(pl.col("rank_ic").mean())
    found = {tuple(key): mean for *key, mean in means.iter_rows()}
    # The raw coefficient beside it is that of the same names and days.
    plain = pl.read_parquet(place / "ic_series.parquet").filter(pl.col("names") == "all")
    both = series.join(plain, on=["date", *case[1:]], suffix="_plain").filter(pl.col("rank_ic").is_not_null())
    assert both.height > 0
    assert (both["n"] == both["n_plain"]).all()
    assert (both["raw_rank_ic"] == both["rank_ic_plain"]).all()
    entries = read(place / "factor_report.json")["residual_ic"]
    assert len(entries) == len(found) > 0
    for entry in entries:
        key = tuple(entry[name] for name in ("set", "universe", "convention", "horizon"))
        mean = entry["rank_ic"]["mean"]
        assert found[key] == (None if mean is None else pytest.approx(mean, rel=1e-12)), key
    assert any(mean is not None for mean in found.values())


def test_arms_are_beside_each_other(main_job):
    found = read(main_job.run / "paired.json")
    assert {(entry["first"], entry["second"]) for entry in found} == {ARMS}
    assert {entry["measure"] for entry in found} == {"rank_ic", "residual_rank_ic", "top_excess"}
    first, second = (read(main_job.run / "arms" / arm / "factor_report.json") for arm in ARMS)
    for entry in found:
        if entry["measure"] == "rank_ic":
            key = (entry["universe"], entry["convention"], entry["horizon"], None)
            means = [daily(report, seed=None)[key] for report in (first, second)]
            assert entry["difference"] == pytest.approx(means[0] - means[1], abs=1e-12)
            assert entry["lags"] == entry["horizon"]
            assert entry["seed_std_first"] > 0
    assert read(main_job.run / "report.json")["tables"]["headline_paired"]


def test_every_json_file_is_strict(main_job):
    files = sorted(p for p in main_job.runs.rglob("*") if p.suffix == ".json" or p.name == "done")
    assert {"report.json", "oracle.json", "recipe.json", "environment.json", "done"} <= {p.name for p in files}
    for path in files:
        assert read(path) is not None, path


def test_the_recipe_is_resolved(main_job):
    recipe = read(main_job.run / "recipe.json")
    assert recipe["fit"]["clip"] == 3.0, "a default that the file doesn't give"
    assert recipe["label"]["kind"] == "neutral_return"
    assert [arm["name"] for arm in recipe["arms"]] == list(ARMS)


def test_the_environment_says_what_it_cost(main_job):
    environment = read(main_job.run / "environment.json")
    assert environment["market"]["simulated"] is True
    assert {"torch", "numpy", "polars", "highspy"} <= environment["versions"].keys()
    stages = {row["stage"]: row for row in environment["stages"]}
    assert set(stages) == {"inputs", "training", "scores", "factor tests", "portfolios"}
    assert stages["training"]["cpu_s"] > 0
    assert all(row["peak_mib"] > 50 for row in stages.values())


def test_no_score_beats_the_oracle(main_job):
    oracle = read(main_job.run / "oracle.json")
    truth = daily(oracle, universe="all")
    assert {horizon for _, _, horizon, _ in truth} == {5, 10, 20}
    for arm in ARMS:
        found = daily(read(main_job.run / "arms" / arm / "factor_report.json"), universe="all", convention="t1_close")
        for universe, convention, horizon, seed in found:
            if horizon in (5, 10, 20):
                ceiling = truth[universe, convention, horizon, None]
                assert found[universe, convention, horizon, seed] < ceiling, (arm, seed, horizon)
    for key in ("correlation", "visible_correlation"):
        assert oracle[key].keys() == set(ARMS)
        assert all(-1 < value < 1 for value in oracle[key].values())
    assert oracle["correlation"] != oracle["visible_correlation"]


def test_the_page_is_one_file_that_asks_for_nothing(main_job):
    page = (main_job.run / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "The main job in the smallest" in page
    for arm in ARMS:
        assert arm in page
    assert not re.search(r"<(?:script|img|link|iframe)[^>]*\b(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert str(main_job.market) not in page, "a path of this machine"


# once more


def test_the_same_command_again_trains_nothing_and_changes_no_result(main_job, copied):
    before = stamps(copied / "jobs")
    result = again(main_job, copied)
    assert result.json()["run"] == str(copied / "small")
    assert result.err.count("was done before") == 4
    assert "epoch" not in result.err
    assert stamps(copied / "jobs") == before
    for part in ("arms", "portfolio"):
        assert contents(copied / "small" / part) == contents(main_job.run / part), part
    for name in ("recipe.json", "oracle.json"):
        assert (copied / "small" / name).read_bytes() == (main_job.run / name).read_bytes(), name


def test_a_changed_constraint_retrains_nothing(main_job, copied):
    before = stamps(copied / "jobs")
    result = again(main_job, copied, "--set", "portfolios.0.constraints=study_a")
    assert result.code == 0, result.err
    assert stamps(copied / "jobs") == before
    assert contents(copied / "small" / "arms") == contents(main_job.run / "arms")
    place = copied / "small" / "portfolio" / "gru_ic" / "000905.SH"
    assert (place / "study_a" / "weights.parquet").read_bytes() != (place / "study_b" / "weights.parquet").read_bytes()
    shown = read(copied / "small" / "report.json")["portfolios"]
    assert [portfolio["constraints"] for portfolio in shown] == ["study_a"], "what the recipe says, not what lies there"


@pytest.mark.slow
def test_a_changed_seed_trains_that_one_alone(main_job, copied):
    """A dry run says so: two of the four jobs are known."""
    result = again(main_job, copied, "--set", "fit.seeds=[1, 2]", "--dry-run")
    jobs = result.json()["jobs"]
    assert {job["job"]: job["done"] for job in jobs} == {
        f"{arm} 2020 seed {seed}": seed == 1 for arm in ARMS for seed in (1, 2)
    }
    assert len({job["key"] for job in jobs}) == 4
    expected = result.json()["estimate"]
    assert set(expected["arms"]) == set(ARMS)
    assert 0 < sum(arm["cpu_hours"] for arm in expected["arms"].values()) <= expected["cpu_hours"] + 1e-3
    assert 0 < expected["wall_hours"] <= expected["cpu_hours"] < 1
    assert expected["memory_mib_a_worker"] > 100
    assert contents(copied / "small") == contents(main_job.run)


def test_report_again_gives_the_same_page(main_job, copied):
    run = copied / "small"
    for name in ("report.html", "report.json"):
        (run / name).unlink()
    assert deepfactor("report", run, "--json").json() == {"report": str(run / "report.html"), "failures": []}
    for name in ("report.html", "report.json"):
        assert (run / name).read_bytes() == (main_job.run / name).read_bytes(), name
