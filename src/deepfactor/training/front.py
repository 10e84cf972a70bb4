"""Scores of consecutive days whose windows share the front end of the network.

Under a scaling that scales rows (`by_day`) a stock's row of a day is the same number in every window that holds it. So
is, then, what a network's front end makes of a patch of days: computed once a day for all stocks instead of once a
window and patch. The same scores as from whole windows but for rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfactor.models.base import CrossSection, SharesFront
from deepfactor.training.samples import Sampler


def front_of(network: nn.Module, sampler: Sampler) -> Front | None:
    """The shared front end of `network`; None where network or scaling have none."""
    if sampler.scaling.module.SCALES != "rows" or not isinstance(network, SharesFront):
        return None
    return Front(network, sampler)


class Front:
    """The patches of a window's length of days, those that end on day t at place t modulo that length.

    For one set of weights: make a new one, or `forget`, when they change.
    """

    def __init__(self, network: SharesFront, sampler: Sampler) -> None:
        self.network, self.sampler = network, sampler
        self._length = sampler.data.window
        self._kept: tuple[Tensor, ...] = ()
        self.forget()

    def forget(self) -> None:
        """The weights have changed."""
        self._held: list[int | None] = [None] * self._length

    def scores(self, t: int, inputs: frozenset[str]) -> Tensor:
        """Scores (b,) of day t's batch ``data.stocks(t)``; call under `torch.inference_mode`."""
        reach, stocks = self.network.reach, torch.from_numpy(self.sampler.data.stocks(t)).to(self.sampler.device)
        places = []
        for last in range(t - self._length + reach.patch, t + 1, reach.patch):
            places.append(place := last % self._length)
            if self._held[place] != last:
                self._keep(place, last)
        at = torch.tensor(places, device=self.sampler.device)
        front = tuple(kept[at[:, None], stocks] for kept in self._kept)  # (p, b, k) each
        begin: CrossSection = self.sampler.cross_section(t, inputs, days=reach.edge)
        return self.network.score_front(front, begin)

    def _keep(self, place: int, last: int) -> None:
        """Make the patches that end on day `last`, of all stocks."""
        made = self.network.front(self.sampler.rows(last - self.network.reach.days + 1, last + 1))
        if not self._kept:
            self._kept = tuple(part.new_empty(self._length, *part.shape) for part in made)
        for kept, part in zip(self._kept, made, strict=True):
            kept[place] = part
        self._held[place] = last
