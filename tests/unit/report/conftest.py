"""A made-up run with every part that a report can show."""

from __future__ import annotations

from typing import Any

import pytest

from deepfactor.report.content import RunContent
from support.run_content import build


@pytest.fixture
def make_content() -> Any:
    """`build`: a run, with the given parts replaced."""
    return build


@pytest.fixture(scope="session")
def content() -> RunContent:
    """The sample run."""
    return build()
