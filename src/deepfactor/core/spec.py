"""`Spec`: what a recipe says. Frozen, closed to unknown keys, with a key that depends on content alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Base of every setting that a user can write.

    Unknown keys are errors. Two specs that say the same have the same `key`, in any process and on any machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def key(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON of the spec."""
        return content_key(self.model_dump(mode="json"))

    def identity(self) -> dict[str, Any]:
        """What was said beyond the defaults, for the keys of long work: a setting that is added later, with the old
        way as its default, makes nothing old. So a default that changes needs another mark in such keys."""
        return self.model_dump(mode="json", exclude_defaults=True)


def content_key(content: Mapping[str, Any] | list[Any]) -> str:
    """16 hex digits that name `content` (anything JSON can hold); the order of mapping keys doesn't matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
