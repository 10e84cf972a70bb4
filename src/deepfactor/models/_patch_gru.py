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

from deepfactor.models._gru_kernel import How, scaled_patches
from deepfactor.models._gru_op import fitting, gru_last, gru_steps, one_layer, recur, tiles
from deepfactor.models._kernels import Kernel
from deepfactor.models._layers import PatchEmbedding, centred, patches_and_one
from deepfactor.models._relative_gru import First


def patch_gru_steps(
    embedding: PatchEmbedding, gru: nn.GRU, windows: tuple[Tensor, ...], how: How = How()
) -> list[Tensor]:
    """``gru_steps(gru, embedding(tile))`` of each tile (L, n, f) of the windows: (p, n, d) each."""
    if not folds(embedding, windows):
        return [gru_steps(gru, embedding(tile), how) for tile in windows]
    fold = _Fold(embedding, gru)
    return [recur(fold.scaled(tile), fold.weights, all_steps=True, centred=fold.centred, how=how) for tile in windows]


def patch_gru_last(
    embedding: PatchEmbedding, gru: nn.GRU, windows: tuple[Tensor, ...], how: How = How()
) -> list[Tensor]:
    """``gru_last(gru, embedding(tile))`` of each tile (L, n, f) of the windows: (n, d) each."""
    if not folds(embedding, windows):
        return [gru_last(gru, embedding(tile), how) for tile in windows]
    fold = _Fold(embedding, gru)
    return [recur(fold.scaled(tile), fold.weights, all_steps=False, centred=fold.centred, how=how) for tile in windows]


def front_of(embedding: PatchEmbedding, gru: nn.GRU, rows: Tensor) -> Tensor:
    """What stands before the recurrence of `gru` for one patch of `rows` (patch, n, f): (n, k)."""
    made: Tensor = _Fold(embedding, gru).scaled(rows) if folds(embedding, (rows,)) else embedding(rows)
    return made[0]


def front_last(embedding: PatchEmbedding, gru: nn.GRU, front: Tensor, how: How = How()) -> Tensor:
    """`patch_gru_last` from `front` (p, b, k) that `front_of` made of the patches, without gradients: (b, d)."""
    weights = one_layer(gru) if front.shape[2] == gru.input_size else _Fold(embedding, gru).weights
    return torch.cat([recur(tile, weights, all_steps=False, how=how) for tile in tiles(front)])


def split_gru(
    kernel: Kernel, embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor, average: int, *, rest: bool
) -> tuple[First, Tensor | None]:
    """`gru` behind `embedding` of the mean over `average` days of the windows (L, b, f), and patches of what it leaves.

    With `average` 1 both are of the windows; the second (p, b, k), with a one behind each, only if `rest`.
    """
    fold = _Fold(embedding, gru)
    slow, fast = fold.split(kernel, windows, average, rest=rest)
    return First(slow, fold.weights, fold.centred), fast


def folds(embedding: PatchEmbedding, windows: tuple[Tensor, ...]) -> bool:
    """Patches are narrower than the embedding, and nobody asks for the gradient of the windows."""
    width = embedding.patch * windows[0].shape[2] + 1
    return width < embedding.conv.out_channels and not any(tile.requires_grad for tile in windows)


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
        """See `_gru_kernel.scaled_patches`."""
        hidden = len(self.centred)
        return scaled_patches(kernel, windows, self._patch, self._root, hidden, self._eps, average=average, rest=rest)

    def scaled(self, windows: Tensor) -> Tensor:
        """p / s of every patch of `windows` (L, n, f): (p, n, k)."""
        kernel = fitting(windows, len(self.centred))
        if kernel is not None:
            return self.split(kernel, windows, 1, rest=False)[0]
        with torch.no_grad():
            p = patches_and_one(windows, self._patch)
            u = (p.flatten(0, 1) @ self._root).square_()
            s = u.sum(1).div_(len(self.centred)).add_(self._eps).rsqrt_()
            return p.mul_(s.view(*p.shape[:2], 1))
