"""GRU and DecompGRU against the same networks with `torch.nn.GRU`: training step and inference on one cross-section."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad

from benchmarks.fma_peak import Peak, fma_peak
from benchmarks.timing import Line, compare, interleave
from deepfactor.models import _kernels, decomp_gru, gru
from deepfactor.models.base import CrossSection, Shapes
from deepfactor.models.decomp_gru import DecompGRU
from deepfactor.models.gru import PatchGRU
from deepfactor.training.fit import settled_torch
from deepfactor.training.losses import ic

WINDOW, FEATURES, HIDDEN, PATCHES, GROUPS = 150, 6, 64, 50, 5
SIZES = (500, 3000)
ROUNDS = 5
#: Side of the square product whose rate stands for what a core can do.
GEMM = 1024

#: The same network on torch operations.
_OFF = f"ours, {_kernels.VARIABLE}=off"
#: The same network with products in bfloat16.
_BF16 = "ours, bf16"
_OTHERS = ("nn.GRU batch-first", "nn.GRU time-major", _OFF, _BF16)

#: Multiply-adds of the matrix products of one GRU step of one stock: input and state, three gates.
_GRU_STEP = 2 * HIDDEN * 3 * HIDDEN
_EMBEDDING = 3 * FEATURES * HIDDEN


def batch_first(network: nn.GRU) -> nn.GRU:
    """The same weights in an `nn.GRU` that takes (b, p, d)."""
    stock = nn.GRU(network.input_size, network.hidden_size, batch_first=True)
    stock.load_state_dict(network.state_dict())
    return stock


def embed_batch_first(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """(b, f, L) -> (b, p, d) as one would write it."""
    embedded: Tensor = norm(conv(x).transpose(1, 2))
    return embedded


class StockGRU(nn.Module):
    """`gru` in plain PyTorch, with a copy of ours' weights."""

    def __init__(self, ours: PatchGRU, *, time_major: bool) -> None:
        super().__init__()
        self.body = copy.deepcopy(ours)
        self.time_major = time_major
        self.recurrence = self.body.gru if time_major else batch_first(self.body.gru)

    def forward(self, windows: Tensor) -> Tensor:
        """Scores of `windows`: (L, b, f) if time-major, else (b, L, f)."""
        embedding = self.body.embedding
        if self.time_major:
            x = embedding(windows)
        else:
            x = embed_batch_first(embedding.conv, embedding.norm, windows.transpose(1, 2))
        scores: Tensor = self.body.head(self.recurrence(x)[1][0]).squeeze(1)
        return scores


class StockDecompGRU(nn.Module):
    """`decomp_gru` in plain PyTorch, with a copy of ours' weights."""

    def __init__(self, ours: DecompGRU, *, time_major: bool) -> None:
        super().__init__()
        self.body = copy.deepcopy(ours)
        self.time_major = time_major
        self.first = self.body.trend_gru if time_major else batch_first(self.body.trend_gru)
        self.second = self.body.gru if time_major else batch_first(self.body.gru)

    def forward(self, windows: Tensor, size_rank: Tensor) -> Tensor:
        """As `StockGRU.forward`."""
        slow, fast = self._embed(windows)
        states = self.first(slow)[0]
        stocks = 1 if self.time_major else 0
        group = size_rank * GROUPS // len(size_rank)
        shape = list(states.shape)
        shape[stocks] = GROUPS
        count = torch.bincount(group, minlength=GROUPS).to(states.dtype)
        total = states.new_zeros(shape).index_add(stocks, group, states)
        mean = total / count.view([-1 if k == stocks else 1 for k in range(3)])
        states = states - mean.index_select(stocks, group)
        scores: Tensor = self.body.head(self.second(states + fast)[1][0]).squeeze(1)
        return scores

    def _embed(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Trend and residual, embedded."""
        slow, fast = self.body.trend_embedding, self.body.residual_embedding
        assert fast is not None
        if self.time_major:
            smooth = decomp_gru.moving_average(decomp_gru.padded(windows, decomp_gru.TREND_DAYS), decomp_gru.TREND_DAYS)
            return slow(smooth), fast(windows - smooth)
        x = windows.transpose(1, 2)
        smooth = avg_pool1d(pad(x, (4, 0), mode="replicate"), 5, 1)
        narrow = fast.pointwise(fast.depthwise(x - smooth))
        return embed_batch_first(slow.conv, slow.norm, smooth), fast.norm(narrow.transpose(1, 2))


def measure() -> list[Line]:
    """All lines; the networks' outputs are compared before they are timed."""
    with settled_torch(), fma_peak() as peak:
        return [line for name in ("gru", "decomp_gru") for line in _measure(name, peak)]


def _measure(name: str, peak: Peak | None) -> list[Line]:
    lines: list[Line] = []
    for b in SIZES:
        forwards, target = _ways(name, b)
        training = {way: _step(forward, target) for way, forward in forwards.items()}
        inference = {way: _inference(forward) for way, forward in forwards.items()}
        beside = {} if peak is None else {"peak": peak}
        steps = interleave(training | {"gemm": _gemm()} | beside, ROUNDS)
        scores = interleave(inference | beside, ROUNDS)
        size = f"{b} stocks"
        lines += [compare(f"{name}, training step", size, steps["ours"], way, steps[way], _wanted(way, "≥ 4"))
                  for way in _OTHERS]  # fmt: skip
        floor = [seconds * _operations(name, b) / (2 * GEMM**3) for seconds in steps["gemm"]]
        rate = "its matrix products at the rate of sgemm"
        lines.append(compare(f"{name}, training step", size, steps["ours"], rate, floor))
        lines += [compare(f"{name}, inference", size, scores["ours"], way, scores[way], _wanted(way, "≥ 5"))
                  for way in _OTHERS]  # fmt: skip
        if peak is not None:
            for job, times, training_step in (("training step", steps, True), ("inference", scores, False)):
                least = peak.floor(times["peak"], _necessary(name, b, training_step))
                stock = times["nn.GRU batch-first"]
                lines.append(
                    compare(f"{name}, {job}, were ours at the FMA peak", size, least, "nn.GRU batch-first", stock)
                )
    return lines


def _wanted(way: str, target: str) -> str:
    return {"nn.GRU batch-first": target, _BF16: "≤ 0.71"}.get(way, "")


def _ways(name: str, b: int) -> tuple[dict[str, Callable[[], Tensor]], Tensor]:
    """The same cross-section through each network, proved to give the same scores; and a target (b,)."""
    torch.manual_seed(0)
    windows, rank, target = torch.randn(WINDOW, b, FEATURES), torch.randperm(b), torch.randn(b)
    turned = windows.transpose(0, 1).contiguous()
    kind = {"gru": gru, "decomp_gru": decomp_gru}[name]
    network = kind.build(kind.Settings(), Shapes(FEATURES, WINDOW))
    rounded = kind.build(kind.Settings(precision="bf16"), Shapes(FEATURES, WINDOW))
    rounded.load_state_dict(network.state_dict())
    stock = StockGRU if name == "gru" else StockDecompGRU
    more = () if name == "gru" else (rank,)
    first, major = stock(network, time_major=False), stock(network, time_major=True)

    def without_kernel() -> Tensor:
        before = os.environ.get(_kernels.VARIABLE, "auto")
        os.environ[_kernels.VARIABLE] = "off"
        try:
            return network(CrossSection(windows, {"size_rank": rank}))
        finally:
            os.environ[_kernels.VARIABLE] = before

    ways = {
        "ours": lambda: network(CrossSection(windows, {"size_rank": rank})),
        _OFF: without_kernel,
        _BF16: lambda: rounded(CrossSection(windows, {"size_rank": rank})),
        "nn.GRU batch-first": lambda: first(turned, *more),
        "nn.GRU time-major": lambda: major(windows, *more),
    }
    with torch.no_grad():
        expected = ways["ours"]()
        for way, forward in ways.items():
            within = 2e-2 if way == _BF16 else 1e-5
            torch.testing.assert_close(
                forward(), expected, rtol=1e-4, atol=within, msg=lambda m, way=way: f"{way}: {m}"
            )
    return ways, target


def _step(forward: Callable[[], Tensor], target: Tensor) -> Callable[[], None]:
    def step() -> None:
        ic.loss(ic.Settings(), forward(), target).backward()

    return step


def _inference(forward: Callable[[], Tensor]) -> Callable[[], None]:
    def infer() -> None:
        with torch.inference_mode():
            forward()

    return infer


def _gemm() -> Callable[[], Tensor]:
    a, b, out = (torch.randn(GEMM, GEMM) for _ in range(3))
    return lambda: torch.mm(a, b, out=out)


def _necessary(name: str, b: int, training: bool) -> float:
    """Floating-point operations of the products that can't be done without, the embedding folded into the first GRU.

    Forward; in training also the gradients of states and weights, and of the norm that scales the patches.
    """
    k, gates = 3 * FEATURES + 1, 3 * HIDDEN
    work = gates * (k + HIDDEN) + k * k
    back = gates * (2 * HIDDEN + k) + gates * k + k * k
    if name == "decomp_gru":
        work += 2 * gates * HIDDEN + k * HIDDEN
        back += 4 * gates * HIDDEN + k * HIDDEN
    return 2.0 * b * PATCHES * (work + back if training else work)


def _operations(name: str, b: int) -> float:
    """Floating-point operations of a step's matrix products: forward, and gradients of input, state and weights.

    Windows need no gradient; LayerNorm, gates, group means and the head are left out. Counted as the network is
    written: ours folds an embedding into its GRU and does less.
    """
    recurrences, embeddings = (1, 1) if name == "gru" else (2, 2)
    return 2.0 * b * PATCHES * (3 * recurrences * _GRU_STEP + 2 * embeddings * _EMBEDDING)
