"""Manifests of older schemas, brought up to date when they are read; the file changes with the next write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deepfactor.store.schema import SCHEMA_VERSION


def _log_of_appends(content: dict[str, Any]) -> dict[str, Any]:
    """1 → 2: ``source.appended`` lists the ingests that went on from an earlier one, none so far."""
    return {**content, "source": {**content["source"], "appended": []}}


def _parts_by_month(content: dict[str, Any]) -> dict[str, Any]:
    """2 → 3: parts that were years are months; those that are there stay until one of their rows changes."""
    return content


def _checksums(content: dict[str, Any]) -> dict[str, Any]:
    """3 → 4: a part's file has a checksum, and the manifest; parts without one are compared by their rows."""
    return content


#: Schema version → what makes the next version of it.
MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _log_of_appends,
    2: _parts_by_month,
    3: _checksums,
}


def migrated(content: dict[str, Any]) -> dict[str, Any]:
    """A manifest's content in the present schema."""
    for version in range(int(content["schema_version"]), SCHEMA_VERSION):
        content = {**MIGRATIONS[version](content), "schema_version": version + 1}
    return content
