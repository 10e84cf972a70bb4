"""Packages that deepfactor can do without."""

from __future__ import annotations

import importlib
from types import ModuleType

from deepfactor.core.errors import UserError


def optional_package(name: str, absent: UserError) -> ModuleType:
    """The package `name`, imported now; `absent` is raised where it isn't installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise absent from None
