"""``python -m benchmarks.gpu``: on a GPU, what a step costs eager, as a graph, in bf16 and with seeds stacked, beside
the processor's numbers; writes ``benchmarks/RESULTS-gpu.md``. ``--dry`` does all of it small, on whatever is there, and
writes nothing. Under eight minutes on the device.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.gpu.fixed import FixedStep, Resident, batch, ic_loss, networks, resident
from benchmarks.gpu.plan import STOCKS, roof
from benchmarks.gpu.stacked import StackedGRU
from benchmarks.trainer import random_data
from deepfactor.core.files import write_text
from deepfactor.models import gru
from deepfactor.models.base import Shapes
from deepfactor.training.samples import Sampler

LR, CLIP = 1e-3, 3.0


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    stocks: int = 5000
    days: int = 64
    steps: int = 200
    seeds: int = 8


@dataclass(frozen=True)
class Speed:
    """Wall milliseconds of a step, of one seed's share of it, stock-days a second, and the least that the device's data
    sheet allows over what it took (`plan.roof`)."""

    way: str
    step_ms: float
    seed_ms: float
    samples: float
    of_roof: float


def market_of(size: Size, device: torch.device) -> tuple[Resident, Sampler, list[int]]:
    """Random data on the device, and as the trainer reads them."""
    data = random_data(size.stocks, days=150 + size.days)
    days = list(range(149, 149 + size.days))
    return resident(data, days, device), Sampler(data), days


def network(seeds: int, device: torch.device, hidden: int = 64) -> StackedGRU:
    """Fresh networks of that many seeds."""
    shapes, settings = Shapes(features=6, window=150), gru.Settings(hidden=hidden)
    made = networks(lambda: gru.build(settings, shapes), range(seeds))
    return StackedGRU(made).to(device)  # type: ignore[arg-type]


def against_the_processor(size: Size, device: torch.device) -> dict[str, float]:
    """Largest differences from what the trainer computes on the processor: scores, loss, gradients of one day."""
    market, sampler, days = market_of(Size(min(size.stocks, 500), 2, 1, 1), device)
    (own,) = networks(lambda: gru.build(gru.Settings(), Shapes(features=6, window=150)), [0])
    stacked = StackedGRU([own]).to(device)  # type: ignore[list-item]
    windows, day = batch(market, torch.zeros(1, dtype=torch.long, device=device))
    scores = stacked(windows)
    loss = ic_loss(scores, day)
    loss.backward()  # type: ignore[no-untyped-call]
    expected = own(sampler.cross_section(days[0], frozenset({"windows"})))
    wanted = ic_loss(expected[None], type(day)(*(one.cpu() for one in day)))
    wanted.backward()  # type: ignore[no-untyped-call]
    grad = own.gru.weight_hh_l0.grad.T  # type: ignore[union-attr]
    assert stacked.again.grad is not None
    return {
        "scores": float((scores[0].cpu() - expected).detach().abs().max()),
        "loss": float((loss.cpu() - wanted).detach().abs()),
        "gradients": float((stacked.again.grad[0].cpu() - grad).abs().max() / grad.abs().max()),
    }


def speed(way: str, market: Resident, size: Size, *, seeds: int, bf16: bool, graph: bool) -> Speed:
    """Steps of a way, one after the other without waiting for any."""
    device = market.values.device
    step = FixedStep(network(seeds, device), market, LR, CLIP, bf16=bf16, graph=graph)
    step(0)
    wait: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    begin = time.perf_counter()
    for number in range(size.steps):
        step(number % size.days)
    wait()
    wall = time.perf_counter() - begin
    each, least = 1e3 * wall / size.steps, roof(seeds=seeds)
    share = max(least.memory, least.arithmetic) * size.stocks / STOCKS / each
    return Speed(way, each, each / seeds, seeds * size.stocks * size.steps / wall, share)


def measure(size: Size, device: torch.device) -> tuple[dict[str, float], list[Speed]]:
    """All of it."""
    torch.backends.cuda.matmul.allow_tf32 = True
    apart = against_the_processor(size, device)
    market, _, _ = market_of(size, device)
    ways = [
        ("eager, float32", 1, False, False),
        ("graph, float32 (TF32)", 1, False, True),
        ("graph, bf16", 1, True, True),
        (f"graph, bf16, {size.seeds} seeds stacked", size.seeds, True, True),
    ]
    return apart, [speed(name, market, size, seeds=s, bf16=b, graph=g) for name, s, b, g in ways]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--dry", action="store_true", help="small, on whatever is there; writes nothing")
    dry = parser.parse_args().dry
    if not dry and not torch.cuda.is_available():
        raise SystemExit("no GPU here: --dry does all of it small on the processor")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    apart, found = measure(Size(60, 3, 2, 2) if dry else Size(), device)
    if dry:
        print(json.dumps({"device": device.type, "apart": apart, "speed": [asdict(one) for one in found]}))
        return
    alone = found[2].seed_ms
    lines = [
        f"# A step on a GPU\n\nWritten by `python -m benchmarks.gpu` on {torch.cuda.get_device_name()}; do not edit.\n",
        f"From the processor's numbers: scores {apart['scores']:.1e}, loss {apart['loss']:.1e}, "
        f"gradients {apart['gradients']:.1e} of the largest.\n",
        "| way | step | a seed's share | stock-days a second | of the roof |\n| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {one.way} | {one.step_ms:.2f} ms | {one.seed_ms:.2f} ms | {one.samples:,.0f} | {one.of_roof:.0%} |"
            for one in found
        ),
        f"\nSeeds stacked: {alone / found[3].seed_ms:.1f} times one by one.\n",
    ]
    write_text(Path(__file__).parents[1] / "RESULTS-gpu.md", "\n".join(lines))


if __name__ == "__main__":
    main()
