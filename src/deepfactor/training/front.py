"""Scores of consecutive days whose windows share the front end of the network.

Under a scaling that scales rows (`by_day`) a stock's row of a day is the same number in every window that holds it. So
is, then, what a network's front end makes of a patch of days: computed once a day for all stocks instead of once a
window and patch. The same scores as from whole windows but for rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfactor.models.base import SharesFront
from deepfactor.training.samples import Sampler


def front_of(network: nn.Module, sampler: Sampler) -> Front | None:
    """The shared front end of `network`; None where network or scaling have none."""
    if sampler.scaling.part.SCALES != "rows" or not isinstance(network, SharesFront):
        return None
    return Front(network, sampler)


class Front:
    """The patches of a window's length of days, those that end on day t at place t modulo that length.

    For one set of weights: make a new one, or `forget`, when they change.
    """

    def __init__(self, network: SharesFront, sampler: Sampler) -> None:
        self.network, self.sampler = network, sampler
        self._length = sampler.data.window
        self._kept: Tensor | None = None  # (L, N, k)
        self.forget()

    def forget(self) -> None:
        """The weights have changed."""
        self._held: list[int | None] = [None] * self._length

    def scores(self, t: int) -> Tensor:
        """Scores (b,) of day t's batch ``data.stocks(t)``; call under `torch.inference_mode`."""
        patch = self.network.patch
        places = [self._place(last) for last in range(t - self._length + patch, t + 1, patch)]
        assert self._kept is not None, "a window has a patch"
        at = torch.tensor(places)[:, None].to(self.sampler.device)
        stocks = torch.from_numpy(self.sampler.data.stocks(t)).to(self.sampler.device)
        return self.network.score_front(self._kept[at, stocks])

    def _place(self, last: int) -> int:
        """Where the patches that end on day `last` are; of all stocks, made unless they are held."""
        place = last % self._length
        if self._held[place] != last:
            made = self.network.front(self.sampler.rows(last - self.network.patch + 1, last + 1))
            if self._kept is None:
                self._kept = made.new_empty(self._length, *made.shape)
            self._kept[place], self._held[place] = made, last
        return place
