"""A made-up run with every part that a report can show; numbers come from a small generator, not from any market."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from deepfactor.evaluation.definitions import PRESETS
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent

UNIVERSES = {"all": 20, "000300.SH": 5, "000905.SH": 10, "000852.SH": 10}
HORIZONS = (5, 10, 15, 20)
CONVENTIONS = ("t0_close", "t1_vwap", "t1_close")
FOLDS = [
    {
        "name": "2019",
        "train": ["2013-01-04", "2017-12-14"],
        "valid": ["2018-01-02", "2018-12-13"],
        "test": ["2019-01-02", "2019-12-31"],
    },
    {
        "name": "2020",
        "train": ["2014-01-02", "2018-12-13"],
        "valid": ["2019-01-02", "2019-12-16"],
        "test": ["2020-01-02", "2020-12-31"],
    },
]
DERIVED = ["benchmark 000905.SH from float_mv", "daily.is_st"]


def trading_days() -> list[date]:
    days = pl.date_range(date(2019, 1, 2), date(2020, 12, 31), "1d", eager=True)
    return days.filter(days.dt.weekday() <= 5).to_list()


def statistics(mean: float, n: int) -> dict[str, float]:
    return {
        "mean": mean,
        "std": 0.11,
        "icir": mean / 0.11,
        "win_rate": 0.5 + 2 * mean,
        "t_newey_west": 60 * mean,
        "n": n,
    }


def record(arm: str, seed: int | None, universe: str, convention: str, horizon: int, names: str, mean: float) -> Any:
    years = {
        y: {"rank_ic": statistics(mean + d, 243), "ic": statistics(mean, 243)}
        for y, d in (("2019", 0.01), ("2020", -0.01))
    }
    return {
        "arm": arm,
        "seed": seed,
        "universe": universe,
        "convention": convention,
        "horizon": horizon,
        "sampling": "daily",
        "names": names,
        "rank_ic": statistics(mean, 487),
        "ic": statistics(0.9 * mean, 487),
        "by_year": years,
    }


STUDY_A, STUDY_B = (PRESETS[study].model_dump() for study in ("study_a", "study_b"))


def excess(difference: float) -> dict[str, float]:
    """A group's excess in both forms."""
    ratio = difference - 0.02
    return {"annual_excess": ratio, "annual_excess_difference": difference, "annual_excess_nav_ratio": ratio}


def factor_report(arm: str, skill: float) -> dict[str, Any]:
    records = [
        record(arm, None, u, c, h, names, skill - 0.01 * k + 0.0007 * h - (0.004 if names == "tradeable" else 0))
        for k, u in enumerate(UNIVERSES)
        for c in CONVENTIONS
        for h in HORIZONS
        for names in ("all", "tradeable")
    ]
    records += [record(arm, seed, "all", "t1_close", 10, "all", skill - 0.003) for seed in (0, 42)]
    # The same tests on every h-th day: another number, which must not be taken for the daily one.
    records = [{**r, "sampling": "every_h", "rank_ic": statistics(0.5, 40)} for r in records] + records
    groups = []
    for universe, n in UNIVERSES.items():
        returns = [-0.2 + 0.6 * g / (n - 1) + 0.02 * np.sin(g) for g in range(n)]
        years = {
            y: {"return": 0.3, "excess": 0.2 + 0.03 * k, "excess_sharpe": 2.1} for k, y in enumerate(("2019", "2020"))
        }
        top = {
            "annual_return": returns[-1],
            **excess(returns[-1] - 0.1),
            "sharpe": 1.55,
            "max_drawdown": -0.213,
            "turnover_one_sided": 0.51,
        }
        benchmark = "equal_weight" if universe == "all" else universe
        by_cap = {y: {"excess": e, "excess_sharpe": 1.9} for y, e in (("2019", 0.22), ("2020", 0.26))}
        also = {"cap_weight": excess(returns[-1] - 0.05) | {"by_year": by_cap}} if universe == "all" else {}
        groups.append(
            {
                "universe": universe,
                "n": n,
                "benchmark": benchmark,
                "annual_return": returns,
                "top": top,
                "by_year": years,
                "definitions": STUDY_B,
                "also": also,
            }
        )
    kept = {"gross": 0.14, "net": 0.11, "t_newey_west": 2.9, "turnover_one_sided": 0.149, "by_year": {}}
    long_side = [
        {
            "universe": universe,
            "part": n,
            "bound": 0.15,
            "cost_rate": 0.0015,
            "definitions": STUDY_B,
            "held": kept,
            "refreshed": kept | {"net": 0.06, "turnover_one_sided": 0.51},
            "decay": [
                {"week": k, "excess": 0.24 - 0.02 * k, "t_newey_west": 4 - 0.3 * k, "n": 99} for k in range(1, 9)
            ],
        }
        for universe, n in UNIVERSES.items()
    ]
    tops = [
        {
            "name": name,
            "every": every,
            "convention": convention,
            "gross": 0.30 - 0.004 * every,
            "net": 0.24 - 0.002 * every,
            "turnover_two_sided": 230 / every,
            "definitions": STUDY_A,
            "by_year": {},
        }
        for name in ("top10pct", "top100")
        for every in (5, 20)
        for convention in ("t0_close", "t1_vwap")
    ]
    return {
        "factor": arm,
        "market": "5f2c9a",
        "span": ["2019-01-02", "2020-12-31"],
        "records": records,
        "groups": groups,
        "top_n": tops,
        "long_side": long_side,
        "autocorrelation": {"5": 0.72, "20": 0.41},
        "style_correlation": {"SIZE": {"mean": -0.21, "last": -0.3}},
        "dropped": {
            "scores_outside_all": 312,
            "scores_without_return.all.t1_close.10.all": 1893,
            "scores_without_return.000300.SH.t1_vwap.5.all": 17,
            "groups.all.limit_at_entry": 240,
        },
    }


def arm(name: str, skill: float, published: str | None, parameters: int) -> ArmContent:
    rng = np.random.default_rng(len(name))
    days = trading_days()
    frames = [
        pl.DataFrame({"date": days, "rank_ic": rng.normal(skill - 0.01 * k, 0.11, len(days))}).with_columns(
            pl.lit(u).alias("universe"),
            pl.lit("t1_close").alias("convention"),
            pl.lit(10).alias("horizon"),
            pl.lit("all").alias("names"),
            (0.9 * pl.col("rank_ic")).alias("ic"),
            pl.lit(3500 // (k + 1)).alias("n"),
        )
        for k, u in enumerate(UNIVERSES)
    ]
    jobs = [
        {
            "fold": fold["name"],
            "seed": seed,
            "best_epoch": 7,
            "seconds": 412.5,
            "left_out": {"train": {"no_label": 90211, "few_stocks": 0}, "valid": {"no_label": 18002}},
            "epochs": [
                {
                    "epoch": e,
                    "loss": -0.05 - 0.09 * (1 - 0.7**e),
                    "valid_rank_ic": skill * (1 - 0.6**e) - 0.0006 * max(0, e - 7),
                }
                for e in range(1, 13)
            ],
        }
        for fold in FOLDS
        for seed in (0, 42)
    ]
    card = {
        "kind": name,
        "parameters": parameters,
        "layers": [
            {"name": "patch", "what": "Conv1d(6 → 64, kernel 3, stride 3)", "parameters": 1216},
            {"name": "norm", "what": "LayerNorm(64)", "parameters": 128},
            {"name": "gru", "what": "GRU(64, 64)", "parameters": 24960},
            {"name": "head", "what": "Linear(64 → 1)", "parameters": 65},
        ],
        "inputs": {"features": ["open", "high", "low", "close", "vwap", "volume"], "window": 150},
        "label": "neutralised return, 10 days, t1_close",
        "loss": "ic",
        "scaling": "last_close",
        "seeds": [0, 42],
        "folds": FOLDS,
    }
    return ArmContent(name, published, card, {"jobs": jobs}, factor_report(name, skill), pl.concat(frames))


def portfolio(arm_name: str, index: str, drift: float) -> PortfolioContent:
    rng = np.random.default_rng(7)
    days = trading_days()
    market = np.cumprod(1 + rng.normal(0.0004, 0.012, len(days)))
    excess = np.cumprod(1 + rng.normal(drift, 0.0035, len(days)))
    nav = pl.DataFrame(
        {
            "date": days,
            "nav": market * excess,
            "benchmark_nav": market,
            "replica_nav": market * 1.004,
            "excess_nav": excess,
            "cash": np.full(len(days), 5e5),
        }
    )
    whole = {
        "excess": 0.1042,
        "excess_gross": 0.1391,
        "excess_replica": 0.0968,
        "excess_total_return": 0.0893,
        "tracking_error": 0.0561,
        "information_ratio": 1.86,
        "excess_sharpe": 1.79,
        "excess_max_drawdown": -0.0612,
        "calmar": 1.70,
        "monthly_win_rate": 0.708,
        "turnover": 0.304,
    }
    counts = {"relaxed_rebalances": 1, "frozen_rebalances": 0, "infeasible_rebalances": 1}
    counts["relaxed_constraints"] = {"style_active_exposure": 1, "turnover": 1}
    years = {y: whole | {"excess": e, "calmar": None} for y, e in (("2019", 0.131), ("2020", 0.0724))}
    relaxed = pl.DataFrame(
        {
            "date": [date(2020, 2, 7), date(2020, 2, 7)],
            "constraint": ["turnover", "style_active_exposure"],
            "row": ["", "SIZE"],
            "bound": [0.3, 0.3],
            "value": [0.341, 0.322],
            "reason": ["infeasible", "infeasible"],
        }
    )
    rejected = {"suspended": 41, "limit_up": 133, "below_lot": 12}
    episode = {"start": "2019-12-02", "trough": "2020-02-04", "recovery": None, "depth": -0.0612}
    summary = {
        "index": index,
        "capital": 1e8,
        "start": "2019-01-04",
        "end": "2020-12-31",
        "definition": "study_b",
        "definition_stated": True,
        "preset": "study_b",
        "invested": {"mean": 0.991, "target": 0.995, "days": 480, "days_below": 0},
        "warnings": [],
        "benchmark": "price",
        "replica_weights": "derived",
        "dividend_tax": "ignored",
        "all": whole | {"excess_drawdown": episode, "cost": 4213377.4, "rebalances": 103} | counts,
        "by_year": years,
        "counts": {"delisted": 1, "carried_days": 371},
    }
    own = whole["excess"]
    drawn = [
        {"draw": k, "excess": 0.01 * k, "excess_gross": 0.01 * k + 0.02, "information_ratio": 0.1 * k} for k in (0, 1)
    ]
    luck = {"own": own, "mean": 0.005, "std": 0.007, "low": -0.02, "high": 0.04, "distance": 3.1}
    placebo = {"draws": 2, "persistence": 0.7, "drawn": drawn} | dict.fromkeys(
        ("excess", "excess_gross", "information_ratio"), luck
    )
    each = [
        {"seed": k, "excess": own + 0.01 * (k - 1), "excess_gross": own, "information_ratio": 1.1} for k in (0, 1, 2)
    ]
    seeds = {"ensemble": own, "mean": own, "std": 0.01, "seeds": each}
    return PortfolioContent(
        arm_name,
        index,
        "study_b",
        summary,
        nav,
        relaxed,
        rejected,
        20713,
        **held_and_traded(),
        risk=portfolio_risk(),
        placebo=placebo,
        seeds=seeds,
    )


def held_and_traded() -> dict[str, pl.DataFrame]:
    """What is held and was traded last, where it leans, and the rebalances; from the tables of a portfolio."""
    day, filled = date(2020, 12, 18), date(2020, 12, 21)
    symbols = [f"{600000 + k}.SH" for k in range(14)]
    weight = [0.02 - 0.001 * k for k in range(13)] + [0.0]
    weights = {"date": [day] * 14, "symbol": symbols, "weight": weight, "realised_weight": weight}
    weights |= {"benchmark_weight": [0.004] * 14, "drifted_weight": weight}
    trades = {"date": [filled] * 2, "symbol": symbols[:2], "side": ["buy", "sell"], "shares": [1200.0, 300.0]}
    trades |= {"price": [10.25, 31.4], "cost": [6.1, 18.2], "reason": ["rebalance"] * 2}
    leans = [("style", "SIZE", -0.21), ("style", "BETA", 0.12)]
    leans += [("industry", name, 0.01 * k - 0.05) for k, name in enumerate("abcdefghijk")]
    dates = [date(2020, 12, 14), filled]
    exposures = [(d, *one) for d in dates for one in leans]
    rebalances = {"date": dates, "first": [False] * 2, "held": [120, 131], "bought": [0.11, 0.14], "sold": [0.1, 0.15]}
    return {
        "weights": pl.DataFrame(weights),
        "filled": pl.DataFrame(trades),
        "exposures": pl.DataFrame(exposures, schema=["date", "part", "name", "active"], orient="row"),
        "rebalances": pl.DataFrame(rebalances),
    }


def portfolio_risk() -> dict[str, Any]:
    """``risk.json``; the first year has no forecast of the return."""
    whole = {
        "rebalances": 103,
        "tracking_error": 0.0493,
        "realised": 0.0521,
        "bias": 1.04,
        "specific_share": 0.71,
        "transfer_coefficient": 0.42,
        "ex_ante_ir": 1.7,
        "breadth": 88.0,
    }
    style = {"name": "SIZE", "exposure": -0.21, "alone": 0.011, "contribution": 0.004, "marginal": -0.02}
    selection = {"part": "selection", "name": "all", "a_year": 0.08, "standard_error": 0.03, "t": 2.67}
    return {
        "model": "barra_cne5",
        "last": "2020-12-25",
        "all": whole,
        "by_year": {"2019": whole | {"ex_ante_ir": None}, "2020": whole},
        "industries": 0.006,
        "styles": [style],
        "contributors": [{"symbol": "600000.SH", "active": 0.008, "contribution": 0.0011}],
        "attribution": [selection | {"part": "style", "name": "SIZE"}, selection],
    }


def build(**changes: Any) -> RunContent:
    """The sample run; `changes` replace its parts."""
    oracle = {
        "records": [record("oracle", None, "all", "t1_close", h, "all", 0.17) for h in (10, 20)],
        "correlation": {"gru": 0.58, "decomp_gru": 0.61},
        "visible_correlation": {"gru": 0.66, "decomp_gru": 0.69},
    }
    environment = {
        "versions": {"deepfactor": "0.1.0", "python": "3.11.9", "torch": "2.13.0"},
        "machine": {"system": "Linux 6.1", "processor": "x86-64", "cores": 2, "memory_gib": 7.8},
        "market": {
            "source": "simulated",
            "simulated": True,
            "fingerprint": "5f2c9a77be01",
            "span": ["2012-01-04", "2020-12-31"],
            "stocks": 800,
            "days": 2190,
            "cap": "float",
            "derived": DERIVED,
            "notes": ["alpha 1.0, seed 7"],
            "derived_index_weights": ["000905.SH"],
            "dropped": {"prices: no_close": 1204},
            "settings": {"stocks": 800, "seed": 7},
        },
        "stages": [
            {"stage": "panel", "wall_s": 3.1, "cpu_s": 3.4, "peak_mib": 812},
            {"stage": "train", "wall_s": 190.4, "cpu_s": 371.9, "peak_mib": 1430},
        ],
    }
    parts: dict[str, Any] = {
        "name": "quick-2019",
        "title": "GRU and DecompGRU, quick recipe",
        "recipe": {
            "name": "quick",
            "plan": {"first_test": 2019, "every": 5},
            "arms": [{"name": "gru"}, {"name": "decomp_gru"}],
        },
        "environment": environment,
        "arms": (arm("gru", 0.104, "study_b/gru_ic", 26369), arm("decomp_gru", 0.112, "study_b/decomp_gru_ic", 51929)),
        "portfolios": (portfolio("gru", "000905.SH", 0.0002), portfolio("decomp_gru", "000905.SH", 0.0004)),
        "paired_portfolios": (
            {
                "index": "000905.SH",
                "constraints": "study_b",
                "first": "gru",
                "second": "decomp_gru",
                "difference": -0.012,
                "standard_error": 0.005,
                "t_newey_west": -2.4,
                "win_rate": 0.47,
                "lags": 5,
                "n": 480,
            },
        ),
        "trials": (
            {
                "key": "0123456789abcdef",
                "kind": "enhanced",
                "factor": "gru",
                "place": "000905.SH",
                "setting": "study_b",
                "trials": 12,
                "sharpe": 1.8,
                "best": 1.2,
                "deflated": 0.87,
            },
        ),
        "oracle": oracle,
        "warnings": ("t1_vwap is left out: the market has no vwap",),
        "correlation": {"gru": {"gru": 1.0, "decomp_gru": 0.82}, "decomp_gru": {"gru": 0.82, "decomp_gru": 1.0}},
    }
    return RunContent(**(parts | changes))
