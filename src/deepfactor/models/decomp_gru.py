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
from deepfactor.models import _fast
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._layers import PatchEmbedding, check_patches
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows", "size_rank"})
TREND_DAYS = 5
"""Length of the moving average that splits a window into trend and residual."""


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
    groups: int = Field(default=5, ge=1, le=1000, description="number of equal SIZE groups a day (size_group only)")
    precision: Literal["float32", "bf16"] = Field(
        default="float32",
        description="bf16: what enters the GRUs' matrix products is rounded to bfloat16; all else is float32",
    )


class DecompGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own window and on those of its own size group."""

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        s = self.settings = settings
        self.trend_embedding = PatchEmbedding(features, s.hidden, s.patch)  # Conv1d over each patch, then LayerNorm
        self.trend_gru = nn.GRU(s.hidden, s.hidden)
        self.residual_embedding = SeparablePatchEmbedding(features, s.hidden, s.patch) if s.residual_branch else None
        self.gru = nn.GRU(s.hidden, s.hidden)
        self.head = nn.Linear(s.hidden, 1)
        self.trend_days = TREND_DAYS if s.decompose else 1
        self.how = How(bf16=s.precision == "bf16")

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss.

        Raises
        ------
        ValueError
            the size groups are asked for and the batch has no `size_rank`.
        """
        x = batch.windows  # (L, b, f)
        group, groups = self._group(batch)  # (b,), 0 … groups - 1; None: nobody is compared
        last = _fast.decomp_gru_last(self, x, group, groups, self.how)  # the same numbers, compiled
        if last is None:
            slow = moving_average(x, self.trend_days)  # (L, b, f)
            states, _ = self.trend_gru(self.trend_embedding(slow))  # (p, b, d)
            if group is not None:
                states = states - group_mean(states, group, groups)  # (p, b, d)
            if self.residual_embedding is not None:
                states = states + self.residual_embedding(x - slow if self.settings.decompose else x)  # (p, b, d)
            last = self.gru(states)[0][-1]  # (b, d)
        scores: Tensor = self.head(last).squeeze(1)  # (b,)
        return scores

    def _group(self, batch: CrossSection) -> tuple[Tensor | None, int]:
        """Whose mean each stock is compared with, and how many groups there are."""
        b, s = batch.windows.shape[1], self.settings
        if s.cross_section == "none":
            return None, 0
        if s.cross_section == "mean":
            return torch.zeros(b, dtype=torch.int64, device=batch.windows.device), 1
        if batch.size_rank is None:
            raise ValueError("decomp_gru with cross_section = 'size_group' needs CrossSection.size_rank, which is None")
        return batch.size_rank * s.groups // b, s.groups  # equal groups: their sizes differ by one at most


class SeparablePatchEmbedding(nn.Module):
    """Depthwise Conv1d over each patch (one filter a feature), pointwise, LayerNorm: (L, b, f) -> (p, b, d)."""

    def __init__(self, features: int, hidden: int, patch: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(features, features, kernel_size=patch, stride=patch, groups=features)
        self.pointwise = nn.Conv1d(features, hidden, kernel_size=1)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, windows: Tensor) -> Tensor:
        """Embed standardised `windows` (L, b, f) into (p, b, d)."""
        convolved = self.pointwise(self.depthwise(windows.permute(1, 2, 0)))  # (b, f, L) -> (b, f, p) -> (b, d, p)
        embedded: Tensor = self.norm(convolved.permute(2, 0, 1))  # (p, b, d)
        return embedded


def moving_average(windows: Tensor, days: int) -> Tensor:
    """Mean of the last `days` days at every day: (L, b, f) -> (L, b, f).

    Before the window's first day its oldest value is repeated, so the padding sits at the far end only, and the last
    day's mean reads the last `days` days.
    """
    padded = torch.cat([windows[:1].expand(days - 1, -1, -1), windows])  # (L + days - 1, b, f)
    return padded.unfold(0, days, 1).mean(dim=3)


def group_mean(states: Tensor, group: Tensor, groups: int) -> Tensor:
    """At every step the mean over the stocks of the own group: (p, b, d) -> (p, b, d); `group` (b,) int64."""
    member = nn.functional.one_hot(group, groups).to(states.dtype)  # (b, G)
    share = member / member.sum(dim=0).clamp(min=1.0)  # (b, G): an empty group has no mean
    means = torch.einsum("bg,pbd->pgd", share, states)  # (p, G, d)
    return torch.einsum("bg,pgd->pbd", member, means)


def build(settings: Settings, shapes: Shapes) -> DecompGRU:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of `settings.patch`.
    """
    check_patches(shapes, settings.patch)
    return DecompGRU(shapes.features, settings)
