"""A GRU right behind a patch embedding, with the embedding folded into the GRU's input weights.

With a patch and a one behind it, p (k,), the convolution is ``u = A p``, A = [weight | bias], and LayerNorm takes
``C u / s`` to the GRU, where C subtracts the mean over the hidden units and ``s^2 = |C A p|^2 / d + eps``. So

    W_ih (gamma * C A p / s + beta) + b_ih = (W_ih diag(gamma) C A) (p / s) + (W_ih beta + b_ih):

a GRU that reads scaled patches (19 numbers at the defaults instead of 64), exactly the same function. Three quarters of
the work on the input side go away, and the embedding itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfactor.models._fast.gru import fitting, one_layer, recur, tiles
from deepfactor.models._fast.gru_kernel import How, run, scaled_patches
from deepfactor.models._fast.relative_gru import First
from deepfactor.models._kernels import Kernel
from deepfactor.models._layers import PatchEmbedding


def patch_gru_steps(
    embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor, how: How = How(), *, last: int | None = None
) -> tuple[Tensor, ...] | None:
    """``gru(embedding(windows))[0]`` in tiles of the stocks: (L, b, f) -> (p, n, d) each, their n adding up to b.

    With `last` that many last steps of it.
    """
    return _patch_gru(embedding, gru, windows, how, len(windows) // embedding.patch if last is None else last)


def patch_gru_last(embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor, how: How = How()) -> Tensor | None:
    """``gru(embedding(windows))[0][-1]``: windows (L, b, f) -> (b, d)."""
    last = _patch_gru(embedding, gru, windows, how, None)
    return None if last is None else torch.cat(last)


def _patch_gru(
    embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor, how: How, steps: int | None
) -> tuple[Tensor, ...] | None:
    kernel = fitting(windows, gru.hidden_size, how)
    if kernel is None or windows.requires_grad:
        return None
    cut = tiles(windows)
    if not folds(embedding, windows):
        return tuple(recur(kernel, _embedded(embedding, tile), one_layer(gru), steps=steps, how=how) for tile in cut)
    fold = _Fold(embedding, gru)
    return tuple(
        recur(kernel, fold.scaled(kernel, tile), fold.weights, steps=steps, centred=fold.centred, how=how)
        for tile in cut
    )


def patch_gru_step(
    embedding: PatchEmbedding, gru: nn.GRU, rows: Tensor, state: Tensor | None, how: How = How()
) -> Tensor | None:
    """`gru` behind `embedding`, one patch of `rows` (patch, n, f) on from `state` (n, d); None = from nothing: (n, d).

    For inference. A stock's numbers depend on its own rows alone, to the last bit.
    """
    kernel = fitting(rows, gru.hidden_size, how)
    if kernel is None or not folds(embedding, rows):
        return None
    fold = _Fold(embedding, gru)
    after = rows.new_empty(rows.shape[1], gru.hidden_size)
    run(kernel.forward, fold.scaled(kernel, rows), fold.weights, how, {"initial": state, "last": after})
    return after


def front_of(embedding: PatchEmbedding, gru: nn.GRU, rows: Tensor) -> Tensor | None:
    """What stands before the recurrence of `gru` for one patch of `rows` (patch, n, f): (n, k)."""
    kernel = fitting(rows, gru.hidden_size)
    if kernel is None or not folds(embedding, rows):
        return None
    return _Fold(embedding, gru).scaled(kernel, rows)[0]


def front_last(embedding: PatchEmbedding, gru: nn.GRU, front: Tensor, how: How = How()) -> Tensor | None:
    """`patch_gru_last` from `front` (p, b, k) that `front_of` made of the patches, without gradients: (b, d)."""
    kernel = fitting(front, gru.hidden_size, how)
    if kernel is None:
        return None
    weights = one_layer(gru) if front.shape[2] == gru.input_size else _Fold(embedding, gru).weights
    return torch.cat([recur(kernel, tile, weights, how=how) for tile in tiles(front)])


def split_gru(
    kernel: Kernel, embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor, average: int, *, rest: bool
) -> tuple[First, Tensor | None]:
    """`gru` behind `embedding` of the mean over `average` days of the windows (L, b, f), and patches of what it leaves.

    With `average` 1 both are of the windows; the second (p, b, k), with a one behind each, only if `rest`.
    """
    fold = _Fold(embedding, gru)
    slow, fast = fold.split(kernel, windows, average, rest=rest)
    return First(slow, fold.weights, fold.centred), fast


def patches(windows: Tensor, days: int) -> Tensor:
    """The patches of the windows (L, b, f) as they are, with a one behind each: (p, b, k)."""
    length, b, f = windows.shape
    flat = windows.reshape(length // days, days, b, f).transpose(1, 2).reshape(length // days, b, days * f)
    return torch.cat([flat, flat.new_ones(*flat.shape[:2], 1)], dim=2)


def folds(embedding: PatchEmbedding, windows: Tensor) -> bool:
    """Patches of the windows (L, b, f) are narrower than the embedding, and nobody asks for the windows' gradient."""
    width = embedding.patch * windows.shape[2] + 1
    return width < embedding.conv.out_channels and not windows.requires_grad


def _embedded(embedding: PatchEmbedding, windows: Tensor) -> Tensor:
    """``embedding(windows)``, (L, b, f) -> (p, b, d): the convolution as one matrix product over the patches."""
    (length, b, f), days, conv = windows.shape, embedding.patch, embedding.conv
    patches = windows.view(length // days, days, b, f).transpose(1, 2).reshape(length // days, b, days * f)
    flat = conv.weight.transpose(1, 2).reshape(conv.out_channels, -1)  # (d, days * f)
    made: Tensor = embedding.norm(nn.functional.linear(patches, flat, conv.bias))
    return made


def centred(weight: Tensor, bias: Tensor) -> Tensor:
    """Convolution `weight` (d, f, patch), `bias` (d,) as one matrix for patches with a one behind, centred over d.

    (d, k): what it makes of a patch is the convolution less its mean over the hidden units, as LayerNorm wants it.
    """
    joint = torch.cat([weight.transpose(1, 2).flatten(1), bias[:, None]], dim=1)
    return joint - joint.mean(dim=0)


class _Fold:
    """The folded weights, made once a forward pass."""

    def __init__(self, embedding: PatchEmbedding, gru: nn.GRU) -> None:
        w_ih, w_hh, b_ih, b_hh = one_layer(gru)
        norm, conv = embedding.norm, embedding.conv
        assert conv.bias is not None
        self.centred = centred(conv.weight, conv.bias)  # C A (d, k)
        with torch.no_grad():
            # |R p| = |C A p| with R (k, k) of the QR factors: as accurate, at a third of the products
            self._root = torch.linalg.qr(self.centred.detach(), mode="r").R.t().contiguous()
        self._patch, self._eps = embedding.patch, norm.eps
        self.weights = ((w_ih * norm.weight) @ self.centred, w_hh, b_ih + w_ih @ norm.bias, b_hh)

    def split(self, kernel: Kernel, windows: Tensor, average: int, *, rest: bool) -> tuple[Tensor, Tensor | None]:
        """See `gru_kernel.scaled_patches`."""
        hidden = len(self.centred)
        return scaled_patches(kernel, windows, self._patch, self._root, hidden, self._eps, average=average, rest=rest)

    def scaled(self, kernel: Kernel, windows: Tensor) -> Tensor:
        """p / s of every patch of `windows` (L, n, f): (p, n, k)."""
        return self.split(kernel, windows, 1, rest=False)[0]
