"""``python -m research.learning``: train the demo's networks where the truth is known, and where there is none.

Prints a table, writes ``learning.json`` and ``learning.md`` into ``--out``, ends with 1 where a bound is broken. A
repeated call trains nothing again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.files import write_json, write_text
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.markets import simulate
from deepfactor.pipeline.terminal import Plain
from deepfactor.runs.environment import Stages, machine, versions
from deepfactor.sources.simulated import Settings
from research.learning import null_market
from research.learning.bounds import Bound, learning_bounds, null_bounds
from research.learning.known_truth import Row, compare, demo_recipe, train
from research.learning.page import page

NULL_FACTOR_SEEDS, NULL_NETWORK_SEED = (100, 101, 102), 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, write and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m research.learning", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/learning"), help="markets, runs and results go here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="seeds of the markets with alpha")
    chosen = parser.parse_args(arguments)
    content, bounds = measure(chosen.out, chosen.seeds, Plain())
    content["bounds"] = [asdict(bound) | {"holds": bound.holds} for bound in bounds]
    write_json(chosen.out / "learning.json", content)
    text = page(content)
    write_text(chosen.out / "learning.md", text)
    print(text)
    return 0 if all(bound.holds for bound in bounds) else 1


def measure(out: Path, seeds: Sequence[int], console: Console) -> tuple[dict[str, Any], list[Bound]]:
    """All numbers as JSON holds them, and the bounds on them."""
    bounds: list[Bound] = []
    markets = []
    stages = Stages()
    for seed in seeds:
        with stages.stage(f"market {seed}"):
            rows = compare(seed, out / f"market-{seed}", console)
        bounds += learning_bounds(f"market {seed}", rows)
        markets.append({"seed": seed, "rows": [row.content() for row in rows]})
    with stages.stage("null markets"):
        factors = null_factors(out, console)
        network = null_network(out, console)
    bounds += null_bounds({name: float(np.mean(values)) for name, values in factors.items()}, network)
    null = {"seeds": NULL_FACTOR_SEEDS, "factors": factors, "network": network.content()}
    recipe = demo_recipe("gru", "decomp_gru")
    content = {
        "machine": machine(),
        "versions": versions(),
        "simulated": Settings().model_dump(mode="json"),
        "plan": recipe.plan.model_dump(mode="json"),
        "fit": recipe.fit.model_dump(mode="json"),
        "markets": markets,
        "null": null,
        "stages": [asdict(row) for row in stages.rows],
    }
    return content, bounds


def null_factors(out: Path, console: Console) -> dict[str, list[float]]:
    """RankIC of each classic factor in the null market of each seed."""
    found = [
        null_market.rank_ics(simulate(out / f"null-{seed}" / "market", null_market.settings(seed), console))
        for seed in NULL_FACTOR_SEEDS
    ]
    return {name: [values[name] for values in found] for name in found[0]}


def null_network(out: Path, console: Console) -> Row:
    """The demo's GRU trained on the demo's market without alpha."""
    settings = Settings(seed=NULL_NETWORK_SEED, alpha=0.0)
    return train(demo_recipe("gru"), settings, out / "null-network", console).rows[0]


if __name__ == "__main__":
    sys.exit(main())
