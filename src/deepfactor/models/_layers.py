"""Layers that several models share. Sequences are time first: (steps, b, width)."""

from __future__ import annotations

from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.models.base import Shapes


def check_patches(shapes: Shapes, patch: int) -> None:
    """Raise `RecipeError` unless the window is a whole number of patches."""
    if shapes.window < patch or shapes.window % patch:
        raise RecipeError(
            f"patches of {patch} days don't fill a window of {shapes.window}: it must be a multiple of the patch",
            key="patch",
        )


class PatchEmbedding(nn.Module):
    """Conv1d whose kernel is its stride (a patch of days), then LayerNorm: (L, b, f) -> (p, b, d)."""

    def __init__(self, features: int, hidden: int, patch: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(features, hidden, kernel_size=patch, stride=patch)
        self.norm = nn.LayerNorm(hidden)
        self.patch = patch

    def forward(self, windows: Tensor) -> Tensor:
        """Embed standardised `windows` (L, b, f) into (p, b, d)."""
        convolved = self.conv(windows.permute(1, 2, 0))  # (b, f, L) -> (b, d, p)
        embedded: Tensor = self.norm(convolved.permute(2, 0, 1))  # (p, b, d)
        return embedded


def scores_by_row(head: nn.Linear, states: Tensor) -> Tensor:
    """``head(states)`` (n,) of states (n, d), each by its own row alone: a matrix product may round a row's result by
    how many rows there are, and a day's score must not know who else is remembered."""
    return (states * head.weight).sum(dim=1) + head.bias
