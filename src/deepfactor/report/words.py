"""Every word of the page, kept apart from the code: one JSON file a language in ``assets``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

INDEX_NAMES = {"000300.SH": "CSI 300", "000905.SH": "CSI 500", "000852.SH": "CSI 1000", "000985.SH": "CSI All Share"}


@dataclass(frozen=True)
class Metric:
    """What a column shows: its head, its unit and how it is computed."""

    key: str
    label: str
    unit: str
    definition: str


@dataclass(frozen=True)
class Words:
    """One language."""

    metrics: Mapping[str, Metric]
    missing: Mapping[str, str]
    text: Mapping[str, str]

    def universe(self, code: str) -> str:
        """A universe or index by the name that people use."""
        own = {"all": "universe_all", "every": "universe_every", "equal_weight": "equal_weight"}
        return self.text[own[code]] if code in own else INDEX_NAMES.get(code, code)


@cache
def words(language: str = "en") -> Words:
    """The words of `language`."""
    source = files("deepfactor.report") / "assets" / f"{language}.json"
    content = json.loads(source.read_text(encoding="utf-8"))
    metrics = {key: Metric(key, *parts) for key, parts in content["metrics"].items()}
    return Words(metrics, content["missing"], content["text"])
