"""What names a mapping's content, whatever keys mappings had when it was written.

Codes that changed are no part of it: the store knows which it has taken in, and takes in new ones. Nor is what is done
with unknown codes: no market holds any.
"""

from __future__ import annotations

import hashlib
from collections import abc
from typing import Any

from deepfactor.core.spec import Spec
from deepfactor.sources._mapping import Mapping, TableMapping
from deepfactor.sources._mapping_columns import Column, Origin
from deepfactor.sources._mapping_parts import Steps

_APART = ("renames", "rename_table", "drop_unknown")
#: Keys that came after markets were made by mappings: each names a mapping only where it says something.
_LATER: abc.Mapping[type[Spec], tuple[str, ...]] = {
    Mapping: ("indices", "adjusted", "adjusted_volume", "vwap_from_prices", "no_adjustment", "append"),
    TableMapping: ("listed_on", "joined", "halts", "intervals"),
    Origin: ("files", "optional", "may_lack", "aliases", "order_by", "must_be", "sheet", "skip_rows", "wide"),
    Steps: ("matching", "before_first"),
    Column: ("formula", "part", "missing", "matching"),
}


def key_of(mapping: Mapping) -> str:
    """16 hex digits."""
    silent = {**_silent(mapping), **dict.fromkeys(_APART, True)}
    return hashlib.sha256(mapping.model_dump_json(exclude=silent).encode()).hexdigest()[:16]


def _silent(value: object) -> dict[Any, Any]:
    """Later keys of `value`, and of what it holds, that say nothing: in the form of pydantic's ``exclude``."""
    if isinstance(value, Spec):
        later = [name for kind, names in _LATER.items() if isinstance(value, kind) for name in names]
        fields = type(value).model_fields
        usual = {name: fields[name].get_default(call_default_factory=True) for name in later}
        silent: dict[Any, Any] = {name: True for name in later if getattr(value, name) == usual[name]}
        return {**_within({name: getattr(value, name) for name in fields if name not in silent}), **silent}
    if isinstance(value, dict):
        return _within(value)
    return _within(dict(enumerate(value))) if isinstance(value, tuple) else {}


def _within(parts: abc.Mapping[Any, object]) -> dict[Any, Any]:
    by_key = {name: _silent(part) for name, part in parts.items()}
    return {name: silent for name, silent in by_key.items() if silent}
