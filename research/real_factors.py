"""Factor tests of minus the 20-day return and of a random factor on the real market, by the verb.

``python -m research.real_factors MARKET OUT`` writes the two factor files, runs ``deepfactor test`` on each (what is
done is not done again) and writes the aggregates to ``docs/results/factor-tests.md``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.files import write_json, write_text
from deepfactor.evaluation.definitions import Definitions, in_words
from deepfactor.panel.panel import rows_between
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.markets import Market, open_market
from deepfactor.runs.environment import machine
from deepfactor.runs.factors import write_scores

FACTORS = ("reversal_20", "random")
NAMES = {"all": "all", "000300.SH": "CSI 300", "000905.SH": "CSI 500", "000852.SH": "CSI 1000"}
START, END = "2015-01-01", "2022-12-30"
HORIZON, DECAY = 10, (1, 2, 3, 5, 10, 15, 20)
#: What stands under this heading is written by hand and kept.
SAID = "## What it says"
EXCESS = """Excess of the top group a year in two forms: annualised ratio of NAVs and difference of annual returns, 252
trading days a year. *cap weight*: the universe weighted by market value, derived, with dividends; indices are price
levels without."""
PAGE = Path(__file__).parents[1] / "docs" / "results" / "factor-tests.md"

Report = dict[str, Any]


def factor(name: str, market: Market) -> Scores:
    """Higher is better; no score outside the span."""
    panel = market.panel
    if name == "random":
        values = np.random.default_rng(0).standard_normal(panel.shape)
        values[~market.universe.traded] = np.nan
    else:
        values = -trailing_return(panel, 20)
    inside = np.zeros(len(panel.dates), dtype=bool)
    inside[rows_between(panel.dates, START, END)] = True
    return Scores(name, panel.dates, panel.symbols, np.where(inside[:, None], values, np.nan))


def by_the_verb(market: Path, out: Path, name: str) -> Report:
    """The factor report, and `cost`: CPU seconds and peak memory of the verb."""
    place = out / f"test_{name}"
    cost = place / "cost.json"
    if not cost.is_file():
        file = out / f"{name}.parquet"
        command = [sys.executable, "-m", "deepfactor", "test", str(file), "--market", str(market), "--out", str(place)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        write_json(cost, {"cpu_seconds": seconds, "peak_gib": after.ru_maxrss / 2**20})
    found = json.loads((place / "arms" / name / "factor_report.json").read_text())
    return {**found, "cost": json.loads(cost.read_text())}


def page(reports: dict[str, Report], account: dict[str, Any], said: str) -> str:
    """Markdown."""
    sections = {
        f"RankIC, daily samples, horizon {HORIZON}": _coefficients(reports),
        f"What is left after styles: residual RankIC, `t1_close`, horizon {HORIZON}": _residuals(reports),
        "Decay: mean RankIC by horizon, `t1_close`": _decay(reports),
        f"Long leg, `t1_close`, horizon {HORIZON}, in basis points": _legs(reports),
        "Weekly groups, `t1_close`": _groups(reports),
        f"Top 10 %, excess a year over the equally weighted universe: {_definition(reports)}": _tops(reports),
        "Mean correlation with styles": _styles(reports),
        "Autocorrelation of the scores by days": _autocorrelation(reports),
        "Left out": _left_out(reports),
    }
    costs = ", ".join(
        f"{name} {r['cost']['cpu_seconds']:.0f} CPU-s and at most {r['cost']['peak_gib']:.1f} GiB"
        for name, r in reports.items()
    )
    head = f"""# Factor tests of two plain factors on real data

Made by

```
deepfactor ingest ashare_parquet MARKET --folder DIR
python -m research.real_factors MARKET OUT
```

which writes the two factor files and calls `deepfactor test FACTOR --market MARKET --out OUT/…` on each, as it comes.
Market: source `{account["source"]}`, {account["span"][0]} to {account["span"][1]}, {account["stocks"]} stocks,
fingerprint {account["fingerprint"]}. Machine: {machine()["processor"]}. Scores from {START} to {END}.
The verb with its report: {costs}.

* **reversal_20**: minus the return of 20 days. **random**: independent normal numbers, anew each day.
* *t* is Newey–West's with lag horizon − 1; ICIR is that of daily values, not annualised; *tradeable*: over names that
  trade at neither limit at the entry.
* CSI 1000 from its first members of 2014-10 on."""
    body = [f"## {title}\n\n{table}" for title, table in sections.items()]
    return "\n\n".join([head, *body]) + "\n\n" + said


def _coefficients(reports: dict[str, Report]) -> str:
    rows = []
    for name, report in reports.items():
        chosen = [r for r in report["records"] if r["horizon"] == HORIZON and r["sampling"] == "daily"]
        for universe, r in ((u, r) for u in NAMES for r in chosen if r["universe"] == u):
            x = r["rank_ic"]
            label = [name, NAMES[universe], f"`{r['convention']}`", r["names"]]
            rows.append([*label, *_numbers(x["mean"], x["icir"], digits=(4, 3)), f"{x['t_newey_west']:.1f}",
                         f"{x['win_rate']:.2f}", str(x["n"])])  # fmt: skip
    return _table(("factor", "universe", "convention", "names", "mean", "ICIR", "t", "share > 0", "days"), rows)


def _residuals(reports: dict[str, Report]) -> str:
    rows = []
    for name, report in reports.items():
        plain = {r["universe"]: r["rank_ic"] for r in report["records"] if _is_main(r) and r["sampling"] == "daily"}
        for universe, label in NAMES.items():
            cells = [f"{plain[universe]['mean']:.4f} ({plain[universe]['t_newey_west']:.1f})"]
            for style_set in report["style_correlations"]:
                case = {"set": style_set, "universe": universe, "convention": "t1_close", "horizon": HORIZON}
                found = [r["rank_ic"] for r in report["residual_ic"] if case.items() <= r.items()]
                cells.append(f"{found[0]['mean']:.4f} ({found[0]['t_newey_west']:.1f})" if found else "")
            rows.append([name, label, *cells])
    return _table(("factor", "universe", "raw (t)", *next(iter(reports.values()))["style_correlations"]), rows)


def _decay(reports: dict[str, Report]) -> str:
    rows = []
    for name, report in reports.items():
        for universe, label in NAMES.items():
            found = {
                d["horizon"]: d["rank_ic"]
                for d in report["decay"]
                if (d["universe"], d["convention"], d["names"]) == (universe, "t1_close", "all")
            }
            rows.append([name, label, *(f"{found[h]:.4f}" for h in DECAY)])
    return _table(("factor", "universe", *(f"{h} days" for h in DECAY)), rows)


def _legs(reports: dict[str, Report]) -> str:
    rows = []
    for name, report in reports.items():
        for leg in report["long_leg"]:
            if leg["convention"] == "t1_close" and leg["horizon"] == HORIZON:
                share = "noise" if leg["long_share"] is None else f"{leg['long_share']:.2f}"
                legs = (f"{1e4 * leg[key]:.1f}" for key in ("long_excess", "short_excess"))
                rows.append([name, NAMES[leg["universe"]], *legs, share])
    return _table(("factor", "universe", "top − all", "all − bottom", "long share"), rows)


def _groups(reports: dict[str, Report]) -> str:
    rows = []
    for name, report in reports.items():
        for g in report["groups"]:
            annual = np.array(g["annual_return"])
            order = float(np.corrcoef(np.arange(len(annual)), annual.argsort().argsort())[0, 1])
            own = _percents(annual[0], annual[len(annual) // 2], annual[-1])
            turnover = f"{g['top']['turnover_one_sided']:.2f}"
            for benchmark, entry in ((g["benchmark"], g["top"]), *g["also"].items()):
                excess = _percents(entry["annual_excess_nav_ratio"], entry["annual_excess_difference"])
                label = [name, NAMES[g["universe"]], str(g["n"]), benchmark.replace("_", " ")]
                rows.append([*label, *own, *excess, f"{order:.2f}", turnover])
    head = ("factor", "universe", "groups", "benchmark", "lowest", "middle", "top", "excess, NAV ratio",
            "excess, difference", "rank correlation", "turnover a week, one-sided")  # fmt: skip
    return _table(head, rows) + "\n\n" + EXCESS


def _tops(reports: dict[str, Report]) -> str:
    rows = [
        [
            *(name, f"`{t['convention']}`", str(t["every"])),
            *_percents(t["gross"], t["net"]),
            f"{t['turnover_two_sided']:.1f}",
        ]
        for name, report in reports.items()
        for t in report["top_n"]
        if t["name"] == "top10pct"
    ]
    return _table(("factor", "convention", "every … days", "gross", "net", "turnover a year, two-sided"), rows)


def _definition(reports: dict[str, Report]) -> str:
    """By which definition the top portfolios' excess is formed."""
    found = {in_words(Definitions(**t["definitions"])) for r in reports.values() for t in r["top_n"]}
    return "; ".join(sorted(found))


def _styles(reports: dict[str, Report]) -> str:
    first = next(iter(reports.values()))["style_correlations"]
    rows = [
        [style_set, style, *(f"{r['style_correlations'][style_set][style]['mean']:.3f}" for r in reports.values())]
        for style_set, styles in first.items()
        for style in styles
    ]
    return _table(("set", "style", *reports), rows)


def _autocorrelation(reports: dict[str, Report]) -> str:
    steps = next(iter(reports.values()))["autocorrelation"]
    rows = [[name, *(f"{r['autocorrelation'][s]:.3f}" for s in steps)] for name, r in reports.items()]
    return _table(("factor", *steps), rows)


def _left_out(reports: dict[str, Report]) -> str:
    reasons = [r for r in next(iter(reports.values()))["dropped"] if _counts_here(r)]
    rows = [[f"`{reason}`", *(f"{r['dropped'].get(reason, 0):,}" for r in reports.values())] for reason in reasons]
    return _table(("reason", *reports), rows)


def _counts_here(reason: str) -> bool:
    """Of the main case, or of no case."""
    if reason.startswith(("scores_without_return", "days_without_ic")):
        return reason.endswith((f".all.t1_close.{HORIZON}.all", f".all.t1_close.{HORIZON}.tradeable"))
    if reason.startswith(("groups", "scores_without_styles")):
        return ".all" in reason
    return not reason.startswith("tops") or reason.startswith("tops.t1_vwap.5.")


def _is_main(record: dict[str, Any]) -> bool:
    return (record["convention"], record["horizon"], record["names"]) == ("t1_close", HORIZON, "all")


def _numbers(*values: float, digits: Sequence[int]) -> list[str]:
    return [f"{value:.{d}f}" for value, d in zip(values, digits, strict=True)]


def _percents(*values: float) -> list[str]:
    return [f"{100 * value:+.1f} %" for value in values]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |", *lines])


def main() -> None:
    """Test both and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    market = open_market(given.market)
    for name in FACTORS:
        if not (given.out / f"{name}.parquet").is_file():
            write_scores(given.out / f"{name}.parquet", factor(name, market))
    account = market.account()
    reports = {name: by_the_verb(given.market, given.out, name) for name in FACTORS}
    before = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    said = before[before.index(SAID) :] if SAID in before else f"{SAID}\n"
    write_text(PAGE, page(reports, account, said))
    print(PAGE)


if __name__ == "__main__":
    main()
