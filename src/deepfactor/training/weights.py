"""Weights and training state on disk: one safetensors file each, with JSON and a checksum in its header; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from deepfactor.core.checksums import checksum
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import atomic_path
from deepfactor.core.system import raise_of_machine

State = dict[str, Tensor]
_CHECKSUM = "checksum"
#: Of a note that has a checksum: one changed bit can't take both names away.
_CHECKED = "checked"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], note: Mapping[str, object]) -> None:
    """Write tensors and a JSON note atomically, in one file, so that they can't disagree."""
    text = json.dumps({**note, _CHECKED: True, _CHECKSUM: _checksum_of(tensors, note)}, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(dict(tensors), metadata={"note": text}))


def load_tensors(path: Path) -> tuple[State, Any]:
    """Tensors and note as `save_tensors` wrote them; without a checksum, as it wrote once, what is there.

    Raises
    ------
    DamagedFile
        it holds something else, or can't be read.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no mapping
            note = json.loads(handle.metadata()["note"])
        if note.pop(_CHECKED, False) and _CHECKSUM not in note:
            raise ValueError("it lacks its checksum")
        if (wanted := note.pop(_CHECKSUM, None)) not in (None, _checksum_of(tensors, note)):
            raise ValueError(f"it doesn't have its checksum {wanted}")
    except FileNotFoundError:
        raise DamagedFile("is missing", file=path) from None
    except (OSError, SafetensorError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise_of_machine(error)
        raise DamagedFile(f"does not hold what was written ({error})", file=path) from None
    return tensors, note


def _checksum_of(tensors: Mapping[str, Tensor], note: Mapping[str, object]) -> str:
    """Of the note, and of each tensor's name, type, shape and values."""
    running = checksum(json.dumps(note, sort_keys=True, allow_nan=False).encode())
    for name, tensor in sorted(tensors.items()):
        running = checksum(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), running)
        values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        running = checksum(values.numpy().data, running)
    return running


def copy_of(state: Mapping[str, Tensor]) -> State:
    """A copy that later steps can't change."""
    return {name: value.detach().clone() for name, value in state.items()}


def flatten(groups: Mapping[str, Mapping[str, Tensor]]) -> State:
    """``{"net": {"a": x}}`` -> ``{"net/a": x}``."""
    return {f"{group}/{name}": value for group, state in groups.items() for name, value in state.items()}


def part(tensors: Mapping[str, Tensor], group: str) -> State:
    """The tensors of one group of `flatten`."""
    return {name.removeprefix(f"{group}/"): v for name, v in tensors.items() if name.startswith(f"{group}/")}


class WeightAverage:
    """Exponential average of a network's weights, a rate a step.

    During the first 1/rate steps it is the plain mean of the steps so far, so that the initial weights don't linger.
    """

    def __init__(self, rate: float) -> None:
        self.rate, self.steps = rate, 0
        self.state: State = {}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's weights after a step; counters among the buffers are copied."""
        self.steps += 1
        rate = max(self.rate, 1.0 / self.steps)
        for name, value in network.state_dict().items():
            if self.steps == 1 or not value.is_floating_point():
                self.state[name] = value.detach().clone()
            else:
                self.state[name].lerp_(value, rate)
