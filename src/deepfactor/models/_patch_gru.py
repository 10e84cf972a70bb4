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

from deepfactor.models._gru_op import gru_last, gru_steps, one_layer, recur
from deepfactor.models._layers import PatchEmbedding


def patch_gru_steps(embedding: PatchEmbedding, gru: nn.GRU, windows: tuple[Tensor, ...]) -> list[Tensor]:
    """``gru_steps(gru, embedding(tile))`` of each tile (L, n, f) of the windows: (p, n, d) each."""
    if not _pays(embedding, windows):
        return [gru_steps(gru, embedding(tile)) for tile in windows]
    fold = _Fold(embedding, gru)
    return [recur(fold.scaled(tile), fold.weights, all_steps=True, centred=fold.centred) for tile in windows]


def patch_gru_last(embedding: PatchEmbedding, gru: nn.GRU, windows: tuple[Tensor, ...]) -> list[Tensor]:
    """``gru_last(gru, embedding(tile))`` of each tile (L, n, f) of the windows: (n, d) each."""
    if not _pays(embedding, windows):
        return [gru_last(gru, embedding(tile)) for tile in windows]
    fold = _Fold(embedding, gru)
    return [recur(fold.scaled(tile), fold.weights, all_steps=False, centred=fold.centred) for tile in windows]


def _pays(embedding: PatchEmbedding, windows: tuple[Tensor, ...]) -> bool:
    """Patches are narrower than the embedding, and nobody asks for the gradient of the windows."""
    width = embedding.patch * windows[0].shape[2] + 1
    return width < embedding.conv.out_channels and not any(tile.requires_grad for tile in windows)


class _Fold:
    """The folded weights, made once a forward pass."""

    def __init__(self, embedding: PatchEmbedding, gru: nn.GRU) -> None:
        w_ih, w_hh, b_ih, b_hh = one_layer(gru)
        norm, conv = embedding.norm, embedding.conv
        assert conv.bias is not None
        flat = conv.weight.transpose(1, 2).flatten(1)  # (d, patch * f), in a patch the oldest day's features first
        joint = torch.cat([flat, conv.bias[:, None]], dim=1)  # A (d, k)
        self.centred = joint - joint.mean(dim=0)  # C A
        with torch.no_grad():
            # |R p| = |C A p| with R (k, k) of the QR factors: as accurate, at a third of the products
            self._root = torch.linalg.qr(self.centred.detach(), mode="r").R.t().contiguous()
        self._patch, self._eps = embedding.patch, norm.eps
        self.weights = ((w_ih * norm.weight) @ self.centred, w_hh, b_ih + w_ih @ norm.bias, b_hh)

    def scaled(self, windows: Tensor) -> Tensor:
        """p / s of every patch of `windows` (L, n, f): (p, n, k)."""
        length, n, f = windows.shape
        days = self._patch
        with torch.no_grad():
            p = windows.new_ones(length // days, n, days * f + 1)
            p[..., :-1].view(-1, n, days, f).copy_(windows.view(-1, days, n, f).transpose(1, 2))
            u = (p.flatten(0, 1) @ self._root).square_()
            s = u.sum(1).div_(len(self.centred)).add_(self._eps).rsqrt_()
            return p.mul_(s.view(-1, n, 1))
