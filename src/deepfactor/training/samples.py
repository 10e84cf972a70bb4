"""One day's batch, gathered by index from the panel of features: windows are never stored."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from deepfactor.core.arrays import AnyArray, Float32, Float64, Indices
from deepfactor.cross_section.ranks import average_rank
from deepfactor.cross_section.zscores import zscore
from deepfactor.inputs.base import ROOM as INPUTS
from deepfactor.inputs.base import DayArrays, Input
from deepfactor.models.base import WINDOWS, CrossSection, Shapes
from deepfactor.training.arms import Target
from deepfactor.training.data import TrainingData
from deepfactor.training.device import CPU, DeviceRows, is_host, to_device
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.scalings.base import Numbers, OnDevice, Scaling, Standard
from deepfactor.training.scalings.standardising import apply
from deepfactor.training.scalings.store import Store

CLIP_ZSCORE = 3.0


@cache
def _of_sizes(name: str) -> Input:
    """An input that isn't kept."""
    return INPUTS.choose(name)


class Sampler:
    """Cross-sections of the days of `data` under a scaling, on a device.

    What a scaling computes once a day or once for all is kept in `store`: on disk, shared by all processes, where the
    data have a folder. Not for two threads: a cross-section's windows live in a buffer that the next call overwrites.
    """

    def __init__(
        self,
        data: TrainingData,
        scaling: Scaling | None = None,
        *,
        device: torch.device = CPU,
        store: Store | None = None,
    ) -> None:
        self.data, self.device = data, device
        self.scaling = scaling or SCALINGS.choose("last_close")
        self._store = store or Store()
        self._rows = DeviceRows(self._store.rows(self.scaling, data.features, data.eligible), device)
        widest = int(np.asarray(data.eligible).sum(axis=1).max(initial=0))
        self._numbers: dict[int, Numbers] = {}
        self._buffer = torch.empty(data.window * widest * len(data.features.names), device=device)

    def scaled(self, scaling: Scaling) -> Sampler:
        """The sampler of the same data under another scaling."""
        if scaling == self.scaling:
            return self
        return Sampler(self.data, scaling, device=self.device, store=self._store)

    def split(self, days: int) -> Sampler:
        """The sampler of the same days, their raw rows split by an average over `days`; 1 = as they are."""
        if days == 1:
            return self
        features, store = self._store.split(self.data.features, days)
        return Sampler(replace(self.data, features=features), self.scaling, device=self.device, store=store)

    def rows(self, first: int, stop: int) -> Tensor:
        """Scaled rows first … stop − 1 of all stocks (stop − first, N, f), of a scaling that scales rows."""
        shape = (stop - first, *self.data.features.values.shape[1:])
        return self.fill(first, stop, np.arange(shape[1]), torch.empty(shape, device=self.device))

    def cross_section(self, t: int, inputs: frozenset[str]) -> CrossSection:
        """The batch of ``data.stocks(t)`` (b,), with what the model's `inputs` ask for; valid until the next call."""
        windows = self._windows(t, self.data.stocks(t), read=WINDOWS in inputs)
        return CrossSection(windows, self.beside(t, inputs))

    def beside(self, t: int, inputs: frozenset[str]) -> dict[str, Tensor]:
        """What the batch of day t holds of `inputs`, but for windows; see the files of `deepfactor.inputs`."""
        stocks = self.data.stocks(t)
        days = [self._day(name, t, stocks) for name in sorted(inputs - {WINDOWS})]
        return {name: self._tensor(array) for day in days for name, array in day.items()}

    def _day(self, name: str, t: int, stocks: Indices) -> DayArrays:
        """What day t holds of an input."""
        size = self.data.size[t, stocks]
        if (held := self.data.inputs.held.get(name)) is not None:
            return held.day(t, stocks, size)
        made = _of_sizes(name)
        assert not made.part.KEPT, f"planned without its {name}"
        return made.part.day(made.settings, size)

    def _tensor(self, array: AnyArray) -> Tensor:
        return to_device(array, self.device)

    def _windows(self, t: int, stocks: Indices, *, read: bool) -> Tensor:
        """Standardised windows; of no day where they aren't `read`."""
        if not read:
            return self._buffer[:0].view(0, len(stocks), len(self.data.features.names))
        windows = self._gather(t, stocks)
        if self.data.features.coded:
            return windows
        if self.scaling.part.SCALES == "windows":
            apply(windows, self._statistics(t, windows))
        return windows

    def _statistics(self, t: int, windows: Tensor) -> Standard | Numbers:
        """Day t's, of its gathered windows: on the host by numpy, kept on disk; on a GPU there, as long as this sampler
        lives, so that what the host keeps doesn't depend on who came first."""
        part = self.scaling.part
        if is_host(self.device) or not isinstance(part, OnDevice):
            return self._store.standard(self.scaling, t, lambda: self._standard(windows))
        numbers = self._numbers.get(t)
        if numbers is None:
            numbers = part.numbers(self.scaling.settings, self.data.features, windows)
            if part.KEEP:
                self._numbers[t] = numbers
        return numbers

    def _gather(self, t: int, stocks: Indices) -> Tensor:
        """Rows t−L+1 … t of the stocks: (L, b, f)."""
        shape = (self.data.window, len(stocks), len(self.data.features.names))
        out = self._buffer[: shape[0] * shape[1] * shape[2]].view(shape)
        return self.fill(t + 1 - shape[0], t + 1, stocks, out)

    def fill(self, first: int, stop: int, stocks: Indices, out: Tensor) -> Tensor:
        """Rows first … stop − 1 of the stocks (b,) into `out` (stop − first, b, f), scaled if the scaling scales rows.

        Rows before the market's first are missing.
        """
        absent = min(max(-first, 0), stop - first)
        scaled_later = self.scaling.part.SCALES == "windows" and not self.data.features.coded
        out[:absent] = torch.nan if scaled_later else 0.0
        if absent < stop - first:
            self._rows.gather(first + absent, stop, stocks, out[absent:])
        return out

    def _standard(self, windows: Tensor) -> Standard:
        """Of gathered windows, computed on the host."""
        part = self.scaling.part
        assert part.SCALES == "windows", "rows are finished"
        return part.standard(self.scaling.settings, self.data.features, windows.cpu().numpy())


def shapes_of(data: TrainingData) -> Shapes:
    """What a network for `data` is built for."""
    widths = {name: width for held in data.inputs.held.values() for name, width in held.widths().items()}
    return Shapes(len(data.features.names), data.window, widths)


def standardise(label: Float64, target: Target) -> Float32:
    """What the loss compares with, from a day's m finite labels (m,).

    "rank": ((average rank − 0.5)/m − 0.5)·√12, uniform with variance 1; "zscore": z-scored (population standard
    deviation; zeros where there is no spread), clipped at ±3.
    """
    if target == "rank":
        uniform: Float64 = (average_rank(label) - 0.5) / len(label) - 0.5
        scaled: Float32 = (uniform * np.sqrt(12.0)).astype(np.float32)
        return scaled
    clipped: Float32 = np.clip(zscore(label), -CLIP_ZSCORE, CLIP_ZSCORE).astype(np.float32)
    return clipped
