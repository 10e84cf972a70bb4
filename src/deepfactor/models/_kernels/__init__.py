"""The compiled GRU: finding the library, choosing its path, and the C interface (`gru.h`) for ctypes.

The library is an optional extension, built at install; without it, or with ``DEEPFACTOR_KERNELS=off``, models run on
`torch.nn.GRU`. ``DEEPFACTOR_KERNELS`` is one of

* ``auto`` (default): the best path that the processor runs;
* ``avx512``, ``avx2``, ``portable``: that path, an error where it can't run;
* ``off``: `torch.nn.GRU`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from deepfactor.core.errors import UserError

VARIABLE = "DEEPFACTOR_KERNELS"
PATHS = ("avx512", "avx2", "portable")
"""Best first."""

_ABI = 6
_SIZES = ("p", "b", "k", "d", "x_step", "reverse", "bf16", "groups", "m", "group_step", "grad_from")
_ARRAYS = (
    *("x", "w_ih", "w_hh", "b_ih", "b_hh", "initial", "gates", "states", "last"),
    *("group", "offset", "side", "embed", "gamma", "beta", "sums"),
    *("grad_offset", "grad_states", "grad_last", "grad_x", "moment"),
    *("grad_w_ih", "grad_w_hh", "grad_b_ih", "grad_b_hh", "grad_embed", "grad_gamma", "grad_beta"),
)


class GRUJob(ctypes.Structure):
    """``deepfactor_gru`` of `gru.h`: sizes, then addresses of arrays: float32, but `group` int32; None = null."""

    _fields_ = [
        *[(name, ctypes.c_ssize_t) for name in _SIZES],
        *[(name, ctypes.c_void_p) for name in _ARRAYS],
        ("eps", ctypes.c_float),
    ]


class PatchesJob(ctypes.Structure):
    """``deepfactor_patches`` of `gru.h`."""

    _fields_ = [
        *[(name, ctypes.c_ssize_t) for name in ("p", "b", "f", "days", "d", "average", "day_step")],
        *[(name, ctypes.c_void_p) for name in ("windows", "root", "slow", "fast")],
        ("eps", ctypes.c_float),
    ]


@dataclass(frozen=True)
class Kernel:
    """One path of the library.

    `forward` and `backward` take a `GRUJob`, `patches` a `PatchesJob`; they give 0, or 1 out of memory.
    """

    path: str
    forward: Callable[[object], int]
    backward: Callable[[object], int]
    patches: Callable[[object], int]


@dataclass(frozen=True)
class Choice:
    """Which kernel is in use (None: `torch.nn.GRU`) and why."""

    kernel: Kernel | None
    why: str


def choice() -> Choice:
    """The kernel in use, by the environment as it is now.

    Raises
    ------
    UserError
        `DEEPFACTOR_KERNELS` is not one of its values, or names a path that can't run here.
    """
    return _choice(os.environ.get(VARIABLE) or "auto")


def kernel_in_use() -> str:
    """In words, for results: which kernel computes the GRUs of this process and of its workers."""
    kernel = choice().kernel
    return f"compiled, {kernel.path}" if kernel else "torch.nn.GRU"


@lru_cache
def _choice(wanted: str) -> Choice:
    if wanted not in ("auto", "off", *PATHS):
        raise UserError(f"{VARIABLE}={wanted!r}: it is one of auto, off, {', '.join(PATHS)}")
    if wanted == "off":
        return Choice(None, f"{VARIABLE}=off")
    library, absent = _library()
    if library is None:
        if wanted != "auto":
            raise UserError(f"{VARIABLE}={wanted}, but {absent}")
        return Choice(None, absent)
    runs = [path for path in PATHS if library.deepfactor_gru_runs(path.encode())]
    if wanted == "auto":
        return Choice(_kernel(library, runs[0]), f"the best that this processor runs of {', '.join(PATHS)}")
    if wanted not in runs:
        raise UserError(f"{VARIABLE}={wanted}, but this processor runs only {', '.join(runs)}")
    return Choice(_kernel(library, wanted), f"{VARIABLE}={wanted}")


def _kernel(library: ctypes.CDLL, path: str) -> Kernel:
    forward, backward = library[f"deepfactor_gru_forward_{path}"], library[f"deepfactor_gru_backward_{path}"]
    patches = library[f"deepfactor_patches_{path}"]
    for way, job in ((forward, GRUJob), (backward, GRUJob), (patches, PatchesJob)):
        way.argtypes, way.restype = [ctypes.POINTER(job)], ctypes.c_int
    return Kernel(path, forward, backward, patches)


@lru_cache
def _library() -> tuple[ctypes.CDLL | None, str]:
    """The library, or why there is none."""
    files = [file for end in EXTENSION_SUFFIXES if (file := Path(__file__).with_name(f"_gru{end}")).exists()]
    if not files:
        return None, "the library wasn't built: install again with a C++ compiler (pip install -v shows its messages)"
    try:
        library = ctypes.CDLL(str(files[0]))
    except OSError as error:
        return None, f"the library {files[0].name} can't be loaded: {error}"
    if library.deepfactor_gru_abi() != _ABI:
        return None, f"the library {files[0].name} is of another version: install again"
    return library, ""
