"""`decomp_gru`: DecompGRU of Study B (Huachuang Securities, 2025); LayerNorm's places are our choice.

1. Split the standardised window: trend = mean of the last five days at every day, residual = window - trend.
2. Trend branch: Conv1d patches -> LayerNorm -> GRU, all steps kept; at every step subtract the mean over the stocks of
   the same SIZE group (five equal groups of that day's whole batch).
3. Residual branch: depthwise Conv1d patches -> pointwise -> LayerNorm.
4. Linear(GRU2(trend + residual)) at the last step. The GRUs share nothing.

At the defaults, on 6 features, 51,929 parameters.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models._gru_kernel import How
from deepfactor.models._gru_op import fitting, gru_last, one_layer, tiles
from deepfactor.models._kernels import Kernel
from deepfactor.models._layers import (
    TREND_DAYS,
    PatchEmbedding,
    SeparablePatchEmbedding,
    centred,
    check_patches,
    size_group,
    subtract_group_mean,
    trend,
)
from deepfactor.models._patch_gru import folds, patch_gru_steps, split_gru
from deepfactor.models._relative_gru import Groups, Side, relative_last
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows", "size_rank"})


class Settings(Spec):
    """Hyper-parameters and ablation switches; the defaults are the study's."""

    hidden: int = Field(default=64, ge=1, description="width of the embeddings and of both GRUs' states")
    patch: int = Field(default=3, ge=1, description="days a patch; the window must be a multiple of it")
    decompose: bool = Field(default=True, description="false: no split, both branches read the whole window")
    residual_branch: bool = Field(default=True, description="false: GRU2 reads the trend branch alone")
    cross_section: Literal["size_group", "mean", "none"] = Field(
        default="size_group",
        description="whose mean the trend branch subtracts: that of the SIZE group, of all stocks, none",
    )
    groups: int = Field(default=5, ge=1, description="number of equal SIZE groups a day (size_group only)")
    precision: Literal["float32", "bf16"] = Field(
        default="float32",
        description="bf16: what enters the GRUs' matrix products is rounded to bfloat16; all else is float32",
    )


class DecompGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own window and on those of its own size group."""

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        s = settings
        self.settings = s
        self.how = How(bf16=s.precision == "bf16")
        self.trend_embedding = PatchEmbedding(features, s.hidden, s.patch)
        self.trend_gru = nn.GRU(s.hidden, s.hidden)
        self.residual_embedding = SeparablePatchEmbedding(features, s.hidden, s.patch) if s.residual_branch else None
        self.gru = nn.GRU(s.hidden, s.hidden)
        self.head = nn.Linear(s.hidden, 1)

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss.

        Raises
        ------
        ValueError
            the size groups are asked for and the batch has no `size_rank`.
        """
        kernel = fitting(batch.windows, self.settings.hidden)
        if kernel is not None and folds(self.trend_embedding, (batch.windows,)):
            last = self._fused(kernel, batch)
        else:
            last = self._by_layers(batch)
        scores: Tensor = self.head(last).squeeze(1)  # (b,)
        return scores

    def _fused(self, kernel: Kernel, batch: CrossSection) -> Tensor:
        """Last states of GRU2 (b, d) by the compiled GRU."""
        average, residual = TREND_DAYS if self.settings.decompose else 1, self.residual_embedding
        rest = residual is not None
        first, fast = split_gru(kernel, self.trend_embedding, self.trend_gru, batch.windows, average, rest=rest)
        side = None
        if residual is not None and fast is not None:
            norm = residual.norm
            side = Side(fast, centred(*residual.joint()), norm.weight, norm.bias, norm.eps)
        return relative_last(kernel, first, self._groups(batch), side, one_layer(self.gru), self.how)

    def _by_layers(self, batch: CrossSection) -> Tensor:
        """The same by torch operations, in tiles (L, n, f) of the stocks, their n adding up to b."""
        windows = tiles(batch.windows)
        slow = tuple(trend(tile) if self.settings.decompose else tile for tile in windows)
        states = patch_gru_steps(self.trend_embedding, self.trend_gru, slow, self.how)  # (p, n, d) each
        groups = self._groups(batch)
        if groups is not None:
            states = subtract_group_mean(states, groups.member().to(states[0].dtype))
        if self.residual_embedding is not None:
            fast = [x - s if self.settings.decompose else x for x, s in zip(windows, slow, strict=True)]
            states = [h + self.residual_embedding(tile) for h, tile in zip(states, fast, strict=True)]
        return torch.cat([gru_last(self.gru, tile, self.how) for tile in states])

    def _groups(self, batch: CrossSection) -> Groups | None:
        """Whom the settings compare a stock with; None: nobody."""
        if self.settings.cross_section == "none":
            return None
        b = batch.windows.shape[1]
        if self.settings.cross_section == "mean":
            return Groups.split(torch.zeros(b, dtype=torch.int64, device=batch.windows.device), 1)
        if batch.size_rank is None:
            raise ValueError("decomp_gru with cross_section = 'size_group' needs CrossSection.size_rank, which is None")
        return Groups.split(size_group(batch.size_rank, self.settings.groups), self.settings.groups)


def build(settings: Settings, shapes: Shapes) -> DecompGRU:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of `settings.patch`.
    """
    check_patches(shapes, settings.patch)
    return DecompGRU(shapes.features, settings)
