"""deepfactor: deep-learning stock factors for Chinese A-shares, from market data to tomorrow's holdings.

What the commands do, for a notebook or a program; each name is imported when it is first used, and torch only by what
trains or scores.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deepfactor.core.version import __version__

if TYPE_CHECKING:
    from deepfactor.face.factors import combine, enhance, read_factor, test_factor
    from deepfactor.face.frames import Frame
    from deepfactor.face.markets import ingest, open_market, simulate
    from deepfactor.face.results import EnhanceResult, RunResult, TestResult
    from deepfactor.face.runs import load_recipe, run
    from deepfactor.pipeline.markets import Market
    from deepfactor.recipe import Recipe

_HOMES = {
    "combine": "face.factors",
    "enhance": "face.factors",
    "read_factor": "face.factors",
    "test_factor": "face.factors",
    "Frame": "face.frames",
    "ingest": "face.markets",
    "open_market": "face.markets",
    "simulate": "face.markets",
    "EnhanceResult": "face.results",
    "RunResult": "face.results",
    "TestResult": "face.results",
    "load_recipe": "face.runs",
    "run": "face.runs",
    "Market": "pipeline.markets",
    "Recipe": "recipe",
}

__all__ = [
    "EnhanceResult",
    "Frame",
    "Market",
    "Recipe",
    "RunResult",
    "TestResult",
    "__version__",
    "combine",
    "enhance",
    "ingest",
    "load_recipe",
    "open_market",
    "read_factor",
    "run",
    "simulate",
    "test_factor",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'deepfactor' has no attribute {name!r}")
    value = getattr(import_module(f"deepfactor.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
