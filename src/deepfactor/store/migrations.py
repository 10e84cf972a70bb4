"""Manifests of older schemas, brought up to date when they are read; the file changes with the next write."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deepfactor.store.records import ManifestFile
from deepfactor.store.schema import SCHEMA_VERSION


def _log_of_appends(content: ManifestFile) -> ManifestFile:
    """1 → 2: ``source.appended`` lists the ingests that went on from an earlier one, none so far."""
    return {**content, "source": {**content["source"], "appended": []}}


def _parts_by_month(content: ManifestFile) -> ManifestFile:
    """2 → 3: parts that were years are months; those that are there stay until one of their rows changes."""
    return content


def _checksums(content: ManifestFile) -> ManifestFile:
    """3 → 4: a part's file has a checksum, and the manifest; parts without one are compared by their rows."""
    return content


#: Schema version → what makes the next version of it.
MIGRATIONS: Mapping[int, Callable[[ManifestFile], ManifestFile]] = {
    1: _log_of_appends,
    2: _parts_by_month,
    3: _checksums,
}


def migrated(content: ManifestFile) -> ManifestFile:
    """A manifest's content in the present schema."""
    for version in range(int(content["schema_version"]), SCHEMA_VERSION):
        content = {**MIGRATIONS[version](content), "schema_version": version + 1}
    return content
