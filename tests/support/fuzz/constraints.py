"""Constraint files, by ``enhance``: refused before the factor is tested."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deepfactor.portfolio.presets import Enhancement, load_preset
from support.cli import Ended, deepfactor
from support.fuzz import (
    NO_NUMBER,
    NO_TOML,
    SEED,
    Case,
    Content,
    changed,
    dotted,
    leaves,
    misspelt,
    renamed,
    tables,
    without,
    written,
)

BASE: Content = tomllib.loads("""
name = "mine"
cash = 0.01
fill = "next_vwap"
costs = { kind = "flat", rate = 0.001, commission = 0.0003, minimum = 5.0, slippage = 0.0001 }
haircut = 0.3
exclude = ["st"]
styles = { kind = "basic", clip = 5.0 }
definitions = "study_b"
relax_order = ["turnover", "style", "industry"]
[[constraints]]
kind = "stock_active_weight"
limit = 0.01
[[constraints]]
kind = "industry_active_weight"
limit = 0.02
[[constraints]]
kind = "style_active_exposure"
default = 0.3
limits = { SIZE = 0.1 }
[[constraints]]
kind = "turnover"
limit = 0.3
sided = "two"
turnover_from = "drifted"
[[constraints]]
kind = "cash_band"
lower = 0.0
upper = 0.02
[[constraints]]
kind = "constituents_weight"
minimum = 0.5
[[constraints]]
kind = "must_hold"
weights = { "600001.SH" = 0.01 }
[[constraints]]
kind = "capacity"
share = 0.1
[[constraints]]
kind = "restricted"
never_buy = ["600002.SH"]
""")
#: Tables whose keys are names of styles or stocks.
NAMED = (("constraints", 2, "limits"), ("constraints", 6, "weights"))


@dataclass(frozen=True)
class Ground:
    """A market and a factor on it; the index is the market's."""

    market: Path
    factor: Path

    def case(self, family: str, name: str, content: str | bytes | Content, *, same: bool = False) -> Case:
        """A constraint file; `same`: it means what the clean one does."""
        raw = written(content) if isinstance(content, dict) else content
        raw = raw.encode() if isinstance(raw, str) else raw

        def run(folder: Path) -> Ended:
            (folder / "mine.toml").write_bytes(raw)
            return self.enhance(folder, "--constraints", folder / "mine.toml")

        def as_clean(folder: Path) -> Ended:
            """Its reading alone: a backtest takes a second."""
            (folder / "mine.toml").write_bytes(raw)
            (folder / "clean.toml").write_text(written(BASE))
            mine, clean = (load_preset(folder / f"{which}.toml") for which in ("mine", "clean"))
            return Ended(0 if _equal(mine, clean) else 4, "", "")

        return Case(family, name, as_clean, lambda *_: True) if same else Case(family, name, run)

    def enhance(self, folder: Path, *more: object) -> Ended:
        where = ("--market", self.market, "--index", "csi500", "--out", folder / "out")
        return deepfactor("enhance", self.factor, *where, *more)


def _equal(mine: Enhancement, clean: Enhancement) -> bool:
    return mine == clean.model_copy(update={"name": mine.name})


def numbers(ground: Ground) -> Iterator[Case]:
    """What is no number, or a negative one, in the place of every number."""
    for path, value in leaves(BASE):
        if isinstance(value, float):
            for bad in (*NO_NUMBER, -0.1, 10**30 if path[-1] in ("cash", "haircut", "rate", "minimum") else -1):
                yield ground.case("numbers", f"{dotted(path)} = {bad}", changed(BASE, path, bad))
    for path, bad in (
        (("cash",), 1.0),
        (("haircut",), 1.5),
        (("costs", "rate"), 0.5),
        (("constraints", 4, "lower"), 0.5),
        (("constraints", 4, "upper"), 1.0),
        (("constraints", 5, "minimum"), 1.1),
        (("constraints", 6, "weights"), {"600001.SH": 1.1}),
        (("constraints", 7, "share"), 0.0),
    ):
        yield ground.case("numbers", f"{dotted(path)} = {bad}", changed(BASE, path, bad))


def keys(ground: Ground) -> Iterator[Case]:
    """Misspelt keys, keys of earlier versions, a constraint without its kind."""
    draw = random.Random(SEED)
    for path, table in tables(BASE):
        for name in table if path not in NAMED else ():
            bad = renamed(BASE, (*path, name), misspelt(name, draw.randrange(9)))
            yield ground.case("keys", f"misspelt {dotted((*path, name))}", bad)
    for name, value in (
        ("indices", ["000905.SH"]),
        ("signal", "weekly"),
        ("cost_rate", 0.001),
        ("exclude", ["suspended"]),
    ):
        yield ground.case("keys", f"{name} of earlier versions", {**BASE, name: value})
    yield ground.case("keys", "without a kind", without(BASE, ("constraints", 0, "kind")))


def words(ground: Ground) -> Iterator[Case]:
    """Words that are no choice, of the wrong type, or twice."""
    for path, bad in (
        *((("fill",), bad) for bad in ("open", "NEXT_VWAP", 3, "")),
        *((("definitions",), bad) for bad in ("study_c", 1, [])),
        *((("relax_order",), bad) for bad in (["size"], ["turnover", "turnover"], "turnover", [3])),
        *((("exclude",), bad) for bad in (["b"], "st", [True])),
        *((("costs",), bad) for bad in ("flat", {"kind": "free"}, 0.001, [])),
        *((("styles",), bad) for bad in ("basic", {"kind": "barra"}, {"kind": "basic", "x": 1}, {})),
        *((("constraints",), bad) for bad in ("turnover", {"kind": "turnover"}, [3], ["turnover"], [{}])),
        *((("constraints", 0, "kind"), bad) for bad in ("beta", "", "os:path", "STOCK_ACTIVE_WEIGHT", "_x", 3)),
        *((("constraints", 3, "sided"), bad) for bad in ("both", 2, "")),
        *((("constraints", 8, "never_buy"), bad) for bad in ("600002.SH", [3], {"x": 1})),
        (("name",), ["a"]),
        (("name",), "a\x00"),
    ):
        yield ground.case("words", f"{dotted(path)} = {bad!r}", changed(BASE, path, bad))


def files(ground: Ground) -> Iterator[Case]:
    """Files that are no constraints, and the clean one written differently."""
    for what, content in NO_TOML.items():
        if what != "an empty file":  # no constraints at all: all that is asked for
            yield ground.case("files", what, content)
    for what, given in (
        ("nothing", "gone.toml"),
        ("a name too long", "x" * 300),
        ("no preset", "study_c"),
        ("empty", ""),
    ):
        yield Case("files", what, lambda folder, given=given: ground.enhance(folder, "--constraints", given))
    clean = written(BASE)
    yield ground.case("files", "a byte order mark", b"\xef\xbb\xbf" + clean.encode(), same=True)
    yield ground.case("files", "line ends of Windows", clean.replace("\n", "\r\n"), same=True)
    yield ground.case("files", "another order", dict(reversed(BASE.items())), same=True)


FAMILIES = (numbers, keys, words, files)
