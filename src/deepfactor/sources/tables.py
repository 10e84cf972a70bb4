"""Source `tables`: files as a vendor left them, read by a mapping (one TOML, see `_mapping`)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from deepfactor.core.errors import DataError
from deepfactor.core.files import file_hash
from deepfactor.core.spec import Spec
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.core.words import Sentence
from deepfactor.sources._extract import Among, Extract
from deepfactor.sources._files import distinct, read
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources._mapping import load_mapping, shipped_mappings, without
from deepfactor.sources._mapping_columns import Origin
from deepfactor.sources._patterns import Found, files_of
from deepfactor.sources._places import inside
from deepfactor.sources._reader import Values

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "mapping": "映射",
}

_LEFT_OUT = Sentence("{part} is left out: there is no {file}", "未使用{part}：没有{file}")
_ENCODED = Sentence("{n} files are read as {encoding}, as {file}", "{n}个文件按{encoding}编码读取，如{file}")
_NAMES = {"GB18030": "GBK (GB18030)"}


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
    files = Files(folder, Trust(outside=True) if settings.mapping in shipped_mappings() else trust)
    absent = {}
    for key, origin in mapping.origins():
        if files.of(origin, key):
            continue
        if not origin.optional:
            what = "there is no such file: is --folder right?"
            raise DataError(what, file=f"{folder}/{origin.named}")
        absent[key] = str(origin.named)
    files.left_out = tuple(absent.items())
    return MappedTables(without(mapping, absent.keys()), files)


class Files:
    """Reads a mapping's files; `left_out` = parts that may be absent and are, with the files that they name."""

    def __init__(self, folder: Path, trust: Trust = SHIPPED) -> None:
        self._folder, self._trust = folder, trust
        self._found: dict[tuple[str, ...], list[Found]] = {}
        self._encodings: dict[Path, str] = {}
        self.left_out: tuple[tuple[str, str], ...] = ()

    def of(self, origin: Origin, key: str) -> list[Found]:
        """The files of a part of the mapping; `key` names it in errors."""
        named = ("file", str(origin.file)) if origin.files is None else ("files", *origin.files)
        if named not in self._found:
            if origin.files is not None:
                found = files_of(self._folder, origin.files, key=f"{key}.files", trust=self._trust)
            else:
                path = inside(self._folder, str(origin.file), key=f"{key}.file", trust=self._trust)
                found = [Found(path)] if path.is_file() else []
            self._found[named] = found
        return self._found[named]

    def read(
        self,
        origin: Origin,
        columns: Sequence[str],
        where: Values,
        label: str,
        among: Among | None = None,
        numbers: Collection[str] = (),
    ) -> Extract:
        """Rows of files; see `Reader`."""
        return read(self.of(origin, label), columns, where, among, origin, numbers, self._encodings)

    def distinct(self, origin: Origin, column: str, where: Values, label: str) -> Extract:
        """Distinct values of a column; see `Reader`."""
        return distinct(self.of(origin, label), column, where, origin)

    def content(self, origin: Origin) -> str | None:
        """Hash of the files; see `Reader`."""
        hashes = [file_hash(found.path) for found in self.of(origin, "")]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256(repr(hashes).encode()).hexdigest()

    def notes(self) -> list[str]:
        """Parts that are left out, files that aren't UTF-8; see `Reader.notes`."""
        notes = [_LEFT_OUT.format(part=part, file=file) for part, file in self.left_out]
        others: dict[str, list[str]] = {}
        for file, encoding in sorted(self._encodings.items()):
            if encoding != "UTF-8":
                others.setdefault(encoding, []).append(file.name)
        notes += [
            _ENCODED.format(n=len(names), encoding=_NAMES.get(encoding, encoding), file=names[0])
            for encoding, names in sorted(others.items())
        ]
        return notes
