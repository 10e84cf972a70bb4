"""What a stream remembers, on disk: a further day's scores then cost a patch a stock, not all days of the span.

The states of each alignment of the patches, by the days that its last patch ended before the last day taken in; the
note says that day, how many days the stream has had, whose columns these are, and what was read. By the compiled kernel
(an embedding wider than a patch) a stream that goes on gives, bit for bit, the scores of one that never stopped,
whoever has come or left since; by torch's operations as far as their sums don't depend on how many stocks there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from deepfactor.core.errors import DamagedFile
from deepfactor.core.spec import content_key
from deepfactor.models.base import State
from deepfactor.training.sequences import Stream
from deepfactor.training.weights import flatten, load_tensors, part, save_tensors

#: Rows from which on torch's matrix products round a row as among any number of others; of a few they don't.
_MANY = 64


def save_stream(path: Path, stream: Stream, last: int, read: Mapping[str, str]) -> None:
    """Write what `stream` remembers after the row `last`, atomically; it takes in what it lacks of the days before.

    `read`: day -> hash of what it holds, of all days that the stream has read.
    """
    with torch.inference_mode():
        stream.take_in(last)
    data, patch = stream.sampler.data, stream.network.patch
    by_age = {age: stream.states.get((stream.last - age) % patch, ()) for age in range(patch)}
    groups = {
        str(age): {str(i): one.detach().cpu().contiguous() for i, one in enumerate(state)}
        for age, state in by_age.items()
    }
    day = str(data.dates[stream.last])
    note = {
        "last": day,
        "days": stream.last - stream.first + 1,
        "patch": patch,
        "symbols": [str(symbol) for symbol in data.symbols[stream.columns]],
        "read": _print(read, day),
    }
    save_tensors(path, flatten(groups), note)


def take_up(path: Path, stream: Stream, read: Mapping[str, str]) -> bool:
    """Let `stream`, with the weights that it had, go on from what `save_stream` wrote; whether it can.

    It can't where nothing was written, or something else, or where a day that was read is another now (`read`). It then
    begins anew, for the same scores.
    """
    data, patch = stream.sampler.data, stream.network.patch
    try:
        tensors, note = load_tensors(path)
        last = int(np.searchsorted(data.dates, np.datetime64(note["last"], "D")))
        held = {symbol: row for row, symbol in enumerate(note["symbols"])}
        if (note["patch"], note["days"], note["read"]) != (patch, last - stream.first + 1, _print(read, note["last"])):
            return False
        states = {(last - age) % patch: part(tensors, str(age)) for age in range(patch)}
    except (DamagedFile, LookupError, TypeError, ValueError):
        return False
    rows = np.array([held.get(str(symbol), -1) for symbol in data.symbols[stream.columns]])
    late = _alone(stream, rows < 0, last)
    for at, state in states.items():
        if state:
            own = late[at] if late else (None,) * len(state)
            joined = (_joined(state[name], rows, alone) for name, alone in zip(sorted(state), own, strict=True))
            stream.states[at] = tuple(one.to(stream.sampler.device) for one in joined)
    stream.last = last
    return True


def _alone(stream: Stream, late: np.ndarray, last: int) -> Mapping[int, State]:
    """States of the stocks that have come since, which read the days up to `last` by themselves: they were in no batch
    of these, so what they remember is what they would have had among the others."""
    if not late.any():
        return {}
    columns = stream.columns[late]
    alone = stream.of(np.resize(columns, max(len(columns), _MANY)))  # in turn, until there are many
    with torch.inference_mode():
        alone.take_in(last)
    return {at: tuple(one[: len(columns)] for one in state) for at, state in alone.states.items()}


def _joined(held: torch.Tensor, rows: np.ndarray, late: torch.Tensor | None) -> torch.Tensor:
    """What was held (m, d), in the order of the columns `rows` (n,); where that is -1, in turn the rows of `late`."""
    out = held[torch.from_numpy(np.maximum(rows, 0))]
    if late is not None:
        out[torch.from_numpy(rows < 0)] = late.to(out.device)
    return out


def _print(read: Mapping[str, str], last: str) -> str:
    """Hash of all days up to `last`."""
    return content_key({day: what for day, what in read.items() if day <= last})
