"""`decomp_gru`: DecompGRU of Study B (Huachuang Securities, 2025); LayerNorm's places are our choice.

1. Split the standardised window: trend = mean of the last five days at every day, residual = window - trend. With
   ``split = "before_scaling"`` the raw window, and each part is standardised by itself: only so is the residual the
   deviation of a price from its moving average. The study leaves open which.
2. Trend branch: Conv1d patches -> LayerNorm -> GRU, all steps kept; at every step subtract the mean over the stocks of
   the same SIZE group (five equal groups of that day's whole batch).
3. Residual branch: depthwise Conv1d patches -> pointwise -> LayerNorm.
4. Linear(GRU2(trend + residual)) at the last step. The GRUs share nothing.

At the defaults, on 6 features, 51,929 parameters.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from deepfactor.core.kind import wrong
from deepfactor.core.spec import Spec
from deepfactor.models import _fast
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._layers import PatchEmbedding, check_patches, scores_by_row
from deepfactor.models._rounded import GRU, Precision
from deepfactor.models.base import CrossSection, Shapes, State

INPUTS = frozenset({"windows", "size_rank"})
TREND_DAYS = 5
"""Length of the moving average that splits a window into trend and residual."""


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "decompose": "趋势分解",
    "residual_branch": "残差分支",
    "cross_section": "截面模块",
    "split": "分解时点",
    "after_scaling": "标准化之后",
    "before_scaling": "标准化之前",
}


class Settings(Spec):
    """Hyper-parameters and ablation switches; the defaults are the study's."""

    hidden: int = Field(default=64, ge=1, description="width of the embeddings and of both GRUs' states")
    patch: int = Field(default=3, ge=1, description="days a patch; the window must be a multiple of it")
    split: Literal["after_scaling", "before_scaling"] = Field(
        default="after_scaling", description="what the moving average is of: the standardised window, or the raw one"
    )
    decompose: bool = Field(default=True, description="false: no split, both branches read the whole window")
    residual_branch: bool = Field(default=True, description="false: GRU2 reads the trend branch alone")
    cross_section: Literal["size_group", "mean", "none"] = Field(
        default="size_group",
        description="whose mean the trend branch subtracts: that of the SIZE group, of all stocks, none",
    )
    groups: int = Field(default=5, ge=1, le=1000, description="number of equal SIZE groups a day (size_group only)")
    precision: Precision = "float32"

    @model_validator(mode="after")
    def _splits_or_not(self) -> Settings:
        if self.split != "after_scaling" and not self.decompose:
            raise wrong("split", "decompose = false splits nothing: leave one of them out")
        return self


class DecompGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own window and on those of its own size group."""

    pads = True

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        s = self.settings = settings
        self.trend_embedding = PatchEmbedding(features, s.hidden, s.patch)  # Conv1d over each patch, then LayerNorm
        self.trend_gru = GRU(s.hidden, s.hidden, s.precision)
        self.residual_embedding = SeparablePatchEmbedding(features, s.hidden, s.patch) if s.residual_branch else None
        self.gru = GRU(s.hidden, s.hidden, s.precision)
        self.head = nn.Linear(s.hidden, 1)
        self.split_before = s.split == "before_scaling"
        self.trend_days = TREND_DAYS if s.decompose and not self.split_before else 1
        self.patch, self.memory, self.compares = s.patch, self.trend_days - 1, s.cross_section != "none"
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
        last = _fast.decomp_gru_states(self, x, group, groups, self.how)  # the same numbers, compiled
        if last is None:
            slow, rest = self._split(padded(x, self.trend_days))  # (L, b, f) each
            states, _ = self.trend_gru(self.trend_embedding(slow))  # (p, b, d)
            states = self._between(states, rest, group, groups)  # (p, b, d)
            last = self.gru(states)[0][-1]  # (b, d)
        scores: Tensor = self.head(last).squeeze(1)  # (b,)
        return scores

    def _split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Trend and residual, (L, b, f) each, of `rows` (memory + L, b, f), or of (L, b, 2f) that were split before."""
        if self.split_before:
            slow, rest = rows.chunk(2, dim=2)
            return slow, rest
        slow, own = moving_average(rows, self.trend_days), rows[self.memory :]
        return slow, own - slow if self.settings.decompose else own

    def _between(self, states: Tensor, rest: Tensor, group: Tensor | None, groups: int) -> Tensor:
        """What the second GRU reads: the first one's states (p, b, d) beside their group, and the residual branch."""
        if group is not None:
            states = states - group_mean(states, group, groups)
        if self.residual_embedding is not None:
            states = states + self.residual_embedding(rest)
        return states

    def sequence(self, windows: Tensor, size_rank: Tensor | None, last: int) -> Tensor:
        """See `Causal`."""
        group, groups = self._groups_at(size_rank)  # (p, n)
        states = _fast.decomp_gru_states(self, windows, group, groups, self.how, steps=last)  # compiled
        if states is None:
            slow, rest = self._split(padded(windows, self.trend_days))  # (L, n, f) each
            trend, _ = self.trend_gru(self.trend_embedding(slow))  # (p, n, d)
            states = self.gru(self._between(trend, rest, group, groups))[0][-last:]  # (last, n, d)
        scores: Tensor = self.head(states).squeeze(2)  # (last, n)
        return scores

    def advance(self, state: State | None, rows: Tensor, size_rank: Tensor | None) -> tuple[State, Tensor]:
        """See `Causal`."""
        slow, rest = self._split(rows)  # (patch, n, f) each
        group, groups = self._groups_at(None if size_rank is None else size_rank[None])  # (1, n)
        before = None if state is None else (state[0], state[1])  # (n, d) each
        states = _fast.decomp_gru_step(self, slow, rest, group, groups, before, self.how)
        if states is None:
            first, second = (None, None) if before is None else (before[0][None], before[1][None])
            _, h = self.trend_gru(self.trend_embedding(slow), first)  # (1, n, d)
            _, out = self.gru(self._between(h, rest, group, groups), second)  # (1, n, d)
            states = h[0], out[0]
        return states, scores_by_row(self.head, states[1])

    def _groups_at(self, size_rank: Tensor | None) -> tuple[Tensor | None, int]:
        """`_group` of each of p days, from `size_rank` (p, n): (p, n), -1 = not in that day's batch."""
        s = self.settings
        if s.cross_section == "none":
            return None, 0
        if size_rank is None:
            raise ValueError("decomp_gru compares stocks and needs to know who is in each day's batch: size_rank")
        if s.cross_section == "mean":
            return size_rank.clamp(max=0), 1
        count = (size_rank >= 0).sum(dim=1, keepdim=True).clamp(min=1)  # (p, 1)
        return torch.where(size_rank >= 0, size_rank * s.groups // count, -1), s.groups

    def _group(self, batch: CrossSection) -> tuple[Tensor | None, int]:
        """Whose mean each stock is compared with, and how many groups there are."""
        b, s = batch.windows.shape[1], self.settings
        if s.cross_section == "none":
            return None, 0
        if s.cross_section == "mean":
            return torch.zeros(b, dtype=torch.int64, device=batch.windows.device), 1
        return batch["size_rank"] * s.groups // b, s.groups  # equal groups: their sizes differ by one at most


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


def moving_average(rows: Tensor, days: int) -> Tensor:
    """Mean of the last `days` days at every day: (days - 1 + L, b, f) -> (L, b, f)."""
    length, total = len(rows) - days + 1, rows[: len(rows) - days + 1]
    for i in range(1, days):  # one after the other: a sum by torch rounds by how many stocks there are
        total = total + rows[i : i + length]
    return total / days


def padded(windows: Tensor, days: int) -> Tensor:
    """`windows` (L, b, f) behind what an average over `days` reads before them: the oldest value, repeated, so that the
    padding sits at the far end only."""
    return torch.cat([windows[:1].expand(days - 1, -1, -1), windows])  # (days - 1 + L, b, f)


def group_mean(states: Tensor, group: Tensor, groups: int) -> Tensor:
    """At every step the mean over the stocks of the own group: (p, b, d) -> (p, b, d).

    `group` (b,) int64 is the same at every step, or (p, b); -1 = of no group, whose mean is 0.
    """
    group = group.expand(len(states), -1)  # (p, b)
    member = (group[:, :, None] == torch.arange(groups, device=group.device)).to(states.dtype)  # (p, b, G)
    share = member / member.sum(dim=1, keepdim=True).clamp(min=1.0)  # (p, b, G): an empty group has no mean
    return member @ (share.transpose(1, 2) @ states)  # (p, b, G) (p, G, d)


def split_days(settings: Settings) -> int:
    """Raw windows are split before they are scaled, or come whole."""
    return TREND_DAYS if settings.split == "before_scaling" else 1


def build(settings: Settings, shapes: Shapes) -> DecompGRU:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of `settings.patch`.
    """
    check_patches(shapes, settings.patch)
    return DecompGRU(shapes.features, settings)
