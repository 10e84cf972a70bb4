"""Adam by torch's own function, without its class.

To make a `torch.optim.Adam` imports torch's compiler, which has nothing to compile here: 1.4 CPU-seconds of every
process that trains. The class calls the same function, so that weights are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from deepfactor.training.weights import State

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Adam:
    """Fused Adam of a network's parameters at the learning rate `lr`, else with torch's defaults.

    `state` has by a parameter's number its moments and count of steps, from the first step on that it has a gradient.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        self.parameters, self.lr = list(parameters), lr
        self.state: dict[int, State] = {}

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients; a parameter that has none stays as it is."""
        moved = {i: (one, one.grad) for i, one in enumerate(self.parameters) if one.grad is not None}
        for i, (parameter, _) in moved.items():
            if i not in self.state:
                self.state[i] = _begun(parameter)
        states = [self.state[i] for i in moved]
        adam(
            [parameter for parameter, _ in moved.values()],
            [gradient for _, gradient in moved.values()],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.lr,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def tensors(self) -> State:
        """The moments and counts as ``<parameter>/<name>``."""
        return {f"{i}/{name}": value for i, state in self.state.items() for name, value in state.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Undo `tensors`; the learning rate stays. A LookupError or ValueError where they are another network's."""
        self.state = {}
        for path, value in tensors.items():
            number, name = path.split("/")
            parameter = self.parameters[int(number)]
            if name in _MOMENTS and value.shape != parameter.shape:
                raise ValueError(f"{path}: {tuple(value.shape)}")
            self.state.setdefault(int(number), {})[name] = value.to(parameter.device)


def _begun(parameter: nn.Parameter) -> State:
    """Before the first step, as torch's class begins."""
    zeros = {name: torch.zeros_like(parameter, memory_format=torch.preserve_format) for name in _MOMENTS}
    return {"step": torch.zeros((), dtype=torch.float32, device=parameter.device), **zeros}
