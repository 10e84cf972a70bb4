"""Programs with a limit on the tracking error: against a reference, by proof, and in CPU time.

``python -m benchmarks.risk FOLDER --weeks 200`` takes random weeks of study B's constraints (`benchmarks.weeks`) of 500
to 5,000 stocks, more small ones than large (the reference takes half a minute at 5,000), limits the tracking error to
0.62 to 0.99 of what it is without one, and compares the objective with that of another solver on a program written
apart (`tests/oracles/cone_program.py`); where something had to give way, that one must find no portfolio within the
limits. CPU time stands beside that of Clarabel on ready arrays of the whole program. What is done is in FOLDER, a line
a week, and isn't done again; the command fails where objectives differ by more than 1e-6, or a limit is broken by more
than 1e-8.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.weeks import week
from deepfactor.core.arrays import Float64
from deepfactor.portfolio import _cone
from deepfactor.portfolio._assembly import assemble, build_model
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement, parse_enhancement
from deepfactor.portfolio.problem import Rebalance, Target
from deepfactor.risk.forecast import Forecast
from tests.oracles.cone_program import best_score, least_tracking_error
from tests.oracles.linear_program import Peer, make_peer

STYLES, LARGE = 10, 4500
AGREEMENT, BROKEN = 1e-6, 1e-8
#: An aversion of nearly nothing, with which the answer must be the linear program's.
NOTHING = 1e-9
#: Reasons of relaxations that a name's own state forces: the reference has them too.
FORCED = ("frozen", "not_buyable")


@dataclass(frozen=True)
class Solved:
    """One week of `stocks`.

    `difference`: of the objective from the reference's, relative; None where limits gave way. `agreed`: both found a
    portfolio, or neither. `gap`: what the proof leaves open, relative. `violation`: the largest of a limit that stands.
    `nothing`: largest difference of a weight from the linear program's at an aversion of nearly 0. CPU-seconds of ours,
    of Clarabel on ready arrays of the whole program, of the reference.
    """

    stocks: int
    difference: float | None
    agreed: bool
    gap: float
    violation: float
    nothing: float
    seconds: float
    bare: float
    reference: float


def with_forecast(r: Rebalance, seed: int) -> Rebalance:
    """The week with factors and specific risks by chance."""
    rng = np.random.default_rng(seed)
    groups = int(r.industry.max()) + 1
    names = ("market", *(f"industry {k}" for k in range(groups)), "unknown", *r.styles)
    scale = np.array([0.2, *[0.1] * (groups + 1), *[0.05] * len(r.styles)])
    mixing = np.eye(len(names)) + 0.2 * rng.standard_normal((len(names), len(names)))
    covariance: Float64 = scale[:, None] * (mixing @ mixing.T) * scale
    deviation = rng.uniform(0.2, 0.6, len(r))
    return replace(r, risk=Forecast.of(names, covariance, deviation, r.industry, r.styles))


def limited(settings: Enhancement, limit: float) -> Enhancement:
    """Study B's constraints and a limit on the tracking error, which may give way after turnover."""
    content = settings.model_dump(mode="json")
    content["constraints"] = [*content["constraints"], {"kind": "tracking_error", "limit": limit}]
    content["relax_order"] = ["turnover", "risk", *content["relax_order"][1:]]
    return parse_enhancement(content)


def peer_of(r: Rebalance) -> Peer:
    """Study B's constraints written a second time."""
    return make_peer(
        r, stock=0.008, industry=0.02, style=0.3, members=0.8, turnover=0.3, origin=r.previous_target
    )  # fmt: skip


def solve(stocks: int, seed: int, share: float) -> Solved:
    """One week, its tracking error limited to `share` of the free one."""
    free, bare = week(stocks, seed=seed, styles=STYLES)
    r = with_forecast(bare, seed)
    assert r.risk is not None
    linear, reference = free.solve(r), (1.0 - free.settings.cash) * r.benchmark
    limit = share * r.risk.tracking_error(linear.weights - reference)
    settings = limited(free.settings, limit)
    began = time.process_time()
    target = IndexEnhancer(settings).solve(r)
    seconds = time.process_time() - began
    averse = IndexEnhancer(free.settings.model_copy(update={"risk_aversion": NOTHING})).solve(r)
    began = time.process_time()
    difference, agreed = _compared(target, peer_of(r), limit)
    other = time.process_time() - began
    gave_way = any(one.constraint == "tracking_error" for one in target.relaxations)
    over = 0.0 if gave_way else r.risk.tracking_error(target.weights - reference) - limit
    return Solved(
        stocks=stocks,
        difference=difference,
        agreed=agreed,
        gap=abs(target.gap) / max(abs(target.objective), 1e-12),
        violation=max(target.primal_residual, over),
        nothing=float(np.abs(averse.weights - linear.weights).max()),
        seconds=seconds,
        bare=_bare(settings, r),
        reference=other,
    )


def _compared(target: Target, peer: Peer, limit: float) -> tuple[float | None, bool]:
    """Relative difference of the objective from the reference's, and whether both find a portfolio, or neither."""
    if any(one.reason not in FORCED for one in target.relaxations):
        least = least_tracking_error(peer)
        return None, not least.solved or least.objective > limit * (1 - 1e-7)
    answer = best_score(peer, limit)
    return abs(target.objective - answer.objective) / abs(answer.objective), answer.solved


def _bare(settings: Enhancement, r: Rebalance) -> float:
    """CPU-seconds of Clarabel on ready arrays of the whole program."""
    model = build_model(r, 1.0 - settings.cash, IndexEnhancer(settings).limits(r))
    lp = assemble(model).lp
    assert lp.risk is not None
    conic = _cone._conic(lp, lp.risk)
    began = time.process_time()
    _cone._run(conic, _cone._TOLERANCES[0])
    return time.process_time() - began


def said(found: Sequence[Solved]) -> str:
    """A paragraph about some weeks."""
    plain = [one for one in found if one.difference is not None]
    differences = [one.difference for one in plain if one.difference is not None]
    seconds, bare = (float(np.mean([getattr(one, name) for one in plain])) for name in ("seconds", "bare"))
    slowest = max(one.seconds for one in plain)
    return (
        f"{len(found)} weeks, in {len(found) - len(plain)} limits gave way, in {sum(not one.agreed for one in found)} "
        f"by one alone; objective against the reference, relative: worst {max(differences):.1e}, median "
        f"{np.median(differences):.1e}; proofs leave at most {max(one.gap for one in found):.1e}; violation at most "
        f"{max(one.violation for one in found):.1e}; without aversion a weight differs by at most "
        f"{max(one.nothing for one in found):.1e}\n"
        f"  where nothing gave way: {seconds:.3f} CPU-s a week, at most {slowest:.3f}; Clarabel on the whole program's "
        f"ready arrays {bare:.3f}: {seconds / bare:.2f} times; the reference "
        f"{np.mean([one.reference for one in plain]):.1f}\n"
        f"  where limits gave way: {_mean([one.seconds for one in found if one.difference is None])} CPU-s a week"
    )


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}, at most {max(values):.3f}" if values else "–"


def main() -> None:
    """Solve what is missing, and say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weeks", type=int, default=200)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    sizes = (500 * 10 ** rng.random(given.weeks) ** 4).astype(int).tolist()
    shares = rng.uniform(0.62, 0.99, given.weeks).tolist()
    place = given.folder / "weeks.jsonl"
    given.folder.mkdir(parents=True, exist_ok=True)
    lines = place.read_text(encoding="utf-8").splitlines() if place.is_file() else []
    for seed in range(len(lines), given.weeks):
        lines.append(json.dumps(asdict(solve(sizes[seed], seed, shares[seed]))))
        with place.open("a", encoding="utf-8") as file:
            file.write(lines[-1] + "\n")
    found = [Solved(**json.loads(line)) for line in lines[: given.weeks]]
    print(said(found))
    if large := [one for one in found if one.stocks >= LARGE]:
        print(f"from {LARGE:,} stocks on:", said(large))
    wrong = [one for one in found if (one.difference or 0.0) > AGREEMENT or one.violation > BROKEN or not one.agreed]
    raise SystemExit(f"{len(wrong)} weeks are wrong" if wrong else 0)


if __name__ == "__main__":
    main()
