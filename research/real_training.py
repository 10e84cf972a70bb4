"""RankIC on a real market with and without the compiled GRU, and in bf16, over seeds: does it change what is found?

::

    python -m research.real_training MARKET OUT [--recipe NAME] [--ways on,off,bf16] [--seeds 0,1,2] [--set key=value]

Each (way, seed) is a part of its own: a ``deepfactor run`` in a fresh process with ``DEEPFACTOR_KERNELS`` set and a
runs folder ``OUT/<way>`` of its own (the setting is not in the keys of jobs, so that ways must not share a job store).
Killed, it goes on where it was: parts that have their result are skipped, a part that hasn't resumes from its last
epoch. Prints and writes ``OUT/table.md``: mean daily RankIC of each seed, their mean and spread, and the difference of
ways in units of the seeds' spread. Not a part of `make bench`: with recipe `study_b_first` it takes hours.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

#: A way's environment and recipe settings; bf16 is that of the first two arms, `study_b_first`'s networks.
WAYS: Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
    "on": ({"DEEPFACTOR_KERNELS": "auto"}, ()),
    "off": ({"DEEPFACTOR_KERNELS": "off"}, ()),
    "avx2": ({"DEEPFACTOR_KERNELS": "avx2"}, ()),
    "bf16": ({"DEEPFACTOR_KERNELS": "auto"}, tuple(f"arms.{i}.model.precision=bf16" for i in range(2))),
}
Means = dict[str, dict[int, float]]  # arm -> seed -> mean RankIC


def main() -> None:
    """Run what is missing, then print the table of what there is."""
    given = _arguments()
    ways, seeds = given.ways.split(","), [int(seed) for seed in given.seeds.split(",")]
    for seed in seeds:  # a seed of every way first: an early table compares like with like
        for way in ways:
            _part(given, way, seed)
            _write_table(given.out, ways, seeds)
    print((given.out / "table.md").read_text(encoding="utf-8"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m research.real_training", description=__doc__.split("\n")[0])
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", default="study_b_first")
    parser.add_argument("--ways", default="on,off,bf16", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="key=value")
    return parser.parse_args()


def _part(given: argparse.Namespace, way: str, seed: int) -> None:
    """Train and test one seed one way, unless its result is there."""
    name = f"seed{seed}"
    if (given.out / way / f"{name}.json").exists():
        return
    environment, settings = WAYS[way]
    changes = [*given.settings, *settings, f"fit.seeds=[{seed}]", f"name={name}", "portfolios=[]"]
    command = [sys.executable, "-m", "deepfactor", "run", given.recipe, "--market", str(given.market)]
    command += ["--out", str(given.out / way), "--workers", str(given.workers)]
    command += [part for change in changes for part in ("--set", change)]
    subprocess.run(command, env=os.environ | environment, check=True)
    means = _means(given.out / way / name)
    (given.out / way / f"{name}.json").write_text(json.dumps(means), encoding="utf-8")


def _means(run: Path) -> dict[str, float]:
    """Mean daily RankIC by arm: universe all, 10 days from the next close if the recipe tests them, else its first."""
    found = {}
    for file in sorted(run.glob("arms/*/factor_report.json")):
        records = json.loads(file.read_text(encoding="utf-8"))["records"]
        daily = [r for r in records if (r["universe"], r["sampling"], r["names"]) == ("all", "daily", "all")]
        wanted = [r for r in daily if (r["convention"], r["horizon"]) == ("t1_close", 10)] or daily
        found[file.parent.name] = wanted[0]["rank_ic"]["mean"]
    return found


def _write_table(out: Path, ways: Sequence[str], seeds: Sequence[int]) -> None:
    """What is there so far."""
    results = {way: _by_arm(out / way, seeds) for way in ways}
    head = [
        "arm",
        "way",
        *(f"seed {seed}" for seed in seeds),
        "mean",
        "spread (std)",
        "apart from the first, in spreads",
    ]
    lines = [_row(head), _row(["---"] * len(head))]
    for arm in sorted({arm for means in results.values() for arm in means}):
        first = results[ways[0]].get(arm, {})
        for way in ways:
            means = results[way].get(arm, {})
            cells = [f"{means[seed]:.4f}" if seed in means else "" for seed in seeds]
            lines.append(_row([arm, way, *cells, *_summary(means, first)]))
    (out / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _by_arm(folder: Path, seeds: Sequence[int]) -> Means:
    found: Means = {}
    for seed in seeds:
        file = folder / f"seed{seed}.json"
        if file.exists():
            for arm, mean in json.loads(file.read_text(encoding="utf-8")).items():
                found.setdefault(arm, {})[seed] = mean
    return found


def _summary(means: Mapping[int, float], first: Mapping[int, float]) -> list[str]:
    """Mean, spread, and how far the mean is from the first way's over the seeds that both have."""
    if not means:
        return ["", "", ""]
    spread = statistics.stdev(means.values()) if len(means) > 1 else math.nan
    both = [seed for seed in means if seed in first]
    apart = statistics.fmean(means[seed] - first[seed] for seed in both) if both else math.nan
    scale = statistics.stdev(first.values()) if len(first) > 1 else math.nan
    return [_figure(statistics.fmean(means.values()), 4), _figure(spread, 4), _figure(apart / scale, 2)]


def _figure(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
