"""Source `tables`: CSV or parquet files as a vendor left them, read by a mapping (one TOML, see `_mapping`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepfactor.core.errors import DataError
from deepfactor.core.files import file_hash
from deepfactor.core.spec import Spec
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.sources._files import Among, Extract, distinct, read
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources._mapping import load_mapping, shipped_mappings
from deepfactor.sources._mapping_parts import Origin
from deepfactor.sources._places import inside
from deepfactor.sources._reader import Values

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "mapping": "映射",
}


class Settings(Spec):
    """Which mapping: the name of a shipped one or the path of a TOML file."""

    mapping: str = "ashare_parquet"


def open_source(settings: Settings, folder: Path | None, trust: Trust = SHIPPED) -> MappedTables:
    """The source over the files in `folder`; a mapping that ships or is trusted may lead out of it.

    Raises
    ------
    RecipeError
        the mapping is unknown or wrong, or leads out of the folder.
    DataError
        no folder, or a file of the mapping is missing.
    """
    mapping = load_mapping(settings.mapping)
    if folder is None or not folder.is_dir():
        given = "none given" if folder is None else f"{folder} is none"
        raise DataError(f"mapping {mapping.name} reads files: give their folder with --folder ({given})")
    trust = Trust(outside=True) if settings.mapping in shipped_mappings() else trust
    for key, origin in mapping.origins():
        file = inside(folder, origin.of_kind("file"), key=f"{key}.file", trust=trust)
        if not file.is_file():
            raise DataError("there is no such file: is --folder right?", file=file)
    return MappedTables(mapping, Files(folder))


class Files:
    """Reads a mapping's files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(
        self, origin: Origin, columns: Sequence[str], where: Values, label: str, among: Among | None = None
    ) -> Extract:
        """Rows of a file; see `Reader`."""
        return read(self._folder / origin.of_kind("file"), columns, where, among)

    def distinct(self, origin: Origin, column: str, where: Values, label: str) -> Extract:
        """Distinct values of a file's column; see `Reader`."""
        return distinct(self._folder / origin.of_kind("file"), column, where)

    def content(self, origin: Origin) -> str | None:
        """Hash of a file; see `Reader`."""
        return file_hash(self._folder / origin.of_kind("file"))
