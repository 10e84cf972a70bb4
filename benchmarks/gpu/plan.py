"""``python -m benchmarks.gpu.plan``: what can be known without a GPU or a cluster. The roofline of a step, what Study
B's protocol costs by measured rates, and a simulation of 1, 10 and 100 nodes with stragglers and failures.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

#: Of a step: 5,000 stocks, 50 patches of three days of six features, hidden 64.
STOCKS, PATCHES, INPUTS, HIDDEN = 5000, 50, 18, 64
#: CPU milliseconds of a step at 3,000 stocks: RESULTS-training-avx512.md.
MEASURED = {"gru": 96.5, "gru bf16": 68.6}
MEASURED_STOCKS = 3000
#: The protocol: training days, epochs at most, folds, seeds, arms.
DAYS, EPOCHS, FOLDS, SEEDS, ARMS = 1500, 30, 7, 3, 4


@dataclass(frozen=True)
class Gpu:
    """A device by its data sheet: multiply-adds in bf16 and float32, memory, the launch of a kernel in a graph."""

    name: str = "H200"
    bf16: float = 989e12
    float32: float = 67e12
    bandwidth: float = 4.8e12
    launch: float = 1.5e-6
    eager: float = 5e-6


def flops(stocks: int = STOCKS) -> float:
    """Of forward and backward: the backward pass is twice the forward's products."""
    forward = 2 * INPUTS * HIDDEN + 2 * (2 * HIDDEN * 3 * HIDDEN)
    return 3.0 * stocks * PATCHES * forward


def moved(stocks: int = STOCKS, size: int = 2) -> float:
    """Bytes: patches, embedding, gates and states written once, read once by the next layer and once backwards."""
    return 3.0 * stocks * PATCHES * (INPUTS + HIDDEN + 3 * HIDDEN + 3 * HIDDEN + HIDDEN) * size


@dataclass(frozen=True)
class Roof:
    """Least milliseconds of a step by what bounds it."""

    arithmetic: float
    memory: float
    launches_graph: float
    launches_eager: float

    def seed(self, seeds: int) -> float:
        """A seed's share of a step of so many at once, for whom each kernel is started once."""
        return max(self.arithmetic, self.memory, self.launches_graph / seeds)


def roof(gpu: Gpu = Gpu(), *, bf16: bool = True) -> Roof:
    """Of one seed's step; a patch of the recurrence is eight kernels forward, fourteen backward."""
    kernels = PATCHES * (8 + 14) + 60
    return Roof(
        1e3 * flops() / (gpu.bf16 if bf16 else gpu.float32),
        1e3 * moved(size=2 if bf16 else 4) / gpu.bandwidth,
        1e3 * kernels * gpu.launch,
        1e3 * kernels * gpu.eager,
    )


@dataclass(frozen=True)
class Simulated:
    """Jobs on nodes: hours until the last one ends, what it would be were all hours alike shared out, what was lost."""

    nodes: int
    hours: float
    ideal: float
    failures: int
    lost: float


def simulate(nodes: int, jobs: Sequence[float], *, cores: int = 16, between: float = 100.0, seed: int = 0) -> Simulated:
    """Hand `jobs` (hours of a core) out in order, as the engine does.

    A core's speed varies by 10 %, one node of twenty runs at half speed, a node stops every `between` hours at random,
    is back after half an hour, and its jobs go on from their last epoch, a thirtieth of a job, a minute later.
    """
    rng = np.random.default_rng(seed)
    speed = np.exp(0.1 * rng.standard_normal((nodes, cores))) * np.where(rng.random(nodes) < 0.05, 0.5, 1.0)[:, None]
    stops = [_stops(rng, between) for _ in range(nodes)]
    upcoming = [next(one) for one in stops]
    free = [(0.0, node, core) for core in range(cores) for node in range(nodes)]
    heapq.heapify(free)
    queue, failures, lost, end = list(reversed(jobs)), 0, 0.0, 0.0
    while queue:
        now, node, core = heapq.heappop(free)
        while upcoming[node] + 0.5 < now:
            upcoming[node] = next(stops[node])
        now = max(now, upcoming[node] + 0.5) if upcoming[node] <= now else now
        work = queue.pop()
        done = now + work / speed[node, core]
        if done > upcoming[node] > now:
            kept = (upcoming[node] - now) * speed[node, core]
            kept -= kept % (work / 30)
            lost += (upcoming[node] - now) * speed[node, core] - kept
            failures += 1
            queue.append(work - kept)
            heapq.heappush(free, (upcoming[node] + 0.5, node, core))
        else:
            heapq.heappush(free, (done, node, core))
            end = max(end, done)
    return Simulated(nodes, end, sum(jobs) / (nodes * cores), failures, lost)


def _stops(rng: np.random.Generator, between: float) -> Iterator[float]:
    """Hours at which a node stops."""
    now = 0.0
    while True:
        now += rng.exponential(between)
        yield now


def hours_of(name: str, folds: int = FOLDS, seeds: int = SEEDS, arms: int = ARMS, seed: int = 0) -> list[float]:
    """Core hours of the protocol's jobs; early stopping ends them between half of the epochs and all."""
    whole = DAYS * EPOCHS * MEASURED[name] / 3.6e6
    shares = np.random.default_rng(seed).uniform(0.5, 1.0, folds * seeds * arms)
    return [whole * share for share in shares.tolist()]


def shared_out(jobs: Sequence[float], workers: int) -> float:
    """Hours until the last of `workers` ends."""
    busy = [0.0] * workers
    for one in jobs:
        heapq.heapreplace(busy, busy[0] + one)
    return max(busy)


def lines() -> list[str]:
    """The tables of docs/how-to/cluster.md."""
    gpu, half, full, kernels = Gpu(), roof(), roof(bf16=False), PATCHES * 22 + 60
    chip = [max(one.arithmetic, one.memory) + 1e3 * 60 * gpu.launch for one in (half, full)]
    out = [
        f"| a step at 5,000 stocks × 50 patches on an {gpu.name}, at least | bf16 | float32 |",
        "| --- | ---: | ---: |",
        f"| arithmetic: {flops() / 1e9:.0f} GFLOP at {gpu.bf16 / 1e12:.0f} and {gpu.float32 / 1e12:.0f} TFLOP/s "
        f"| {half.arithmetic:.2f} ms | {full.arithmetic:.2f} ms |",
        f"| memory: {moved() / 1e6:.0f} and {moved(size=4) / 1e6:,.0f} MB at {gpu.bandwidth / 1e12:.1f} TB/s "
        f"| {half.memory:.2f} ms | {full.memory:.2f} ms |",
        f"| starting {kernels} kernels one by one ({1e6 * gpu.eager:.0f} µs) "
        f"| {half.launches_eager:.1f} ms | {full.launches_eager:.1f} ms |",
        f"| the same in a graph ({1e6 * gpu.launch:.1f} µs) "
        f"| {half.launches_graph:.1f} ms | {full.launches_graph:.1f} ms |",
        f"| a seed's share where eight are at once | {half.seed(8):.2f} ms | {full.seed(8):.2f} ms |",
        f"| one seed, a kernel that keeps the recurrence on the chip | {chip[0]:.2f} ms | {chip[1]:.2f} ms |",
        "",
        f"| Study B by windows: {FOLDS} folds × {SEEDS} seeds × {ARMS} arms, {DAYS} days, at most {EPOCHS} epochs, "
        f"{MEASURED_STOCKS} stocks | float32 | bf16 |",
        "| --- | ---: | ---: |",
    ]
    work = {name: hours_of(name) for name in MEASURED}
    for cores in (2, 64):
        cells = [f"{shared_out(jobs, cores):.1f} h" for jobs in work.values()]
        out.append(f"| {cores} cores, by measured steps | {cells[0]} | {cells[1]} |")
    step = {name: 1.5 * (2 if name == "gru" else 1) for name in MEASURED}
    for gpus in (1, 8):
        cells = [
            f"{shared_out([one * step[name] / MEASURED[name] for one in work[name]], gpus):.1f} h" for name in MEASURED
        ]
        out.append(
            f"| {gpus} GPU{'s' if gpus > 1 else ''}, were a step 3 and 1.5 ms (not yet run) | {cells[0]} | {cells[1]} |"
        )
    out += [
        "",
        "| nodes of 16 cores | jobs | shared out evenly | simulated | jobs stopped | core hours lost |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for nodes in (1, 10, 100):
        jobs = hours_of("gru", folds=14, seeds=10, arms=12)
        one = simulate(nodes, jobs)
        out.append(
            f"| {nodes} | {len(jobs):,} | {one.ideal:.1f} h | {one.hours:.1f} h | {one.failures} | {one.lost:.1f} |"
        )
    return out


if __name__ == "__main__":
    print("\n".join(lines()))
