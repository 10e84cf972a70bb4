"""Recipes, by ``run --dry-run``."""

from __future__ import annotations

import datetime as dt
import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfactor.pipeline.markets import Market, open_market
from deepfactor.pipeline.names import with_market_names
from deepfactor.recipe import Recipe, load_recipe
from support.cli import Ended, deepfactor
from support.fuzz import (
    NO_COUNT,
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

#: Says most settings, so that each can be spoiled. For the market of `support.fuzz.ground`.
BASE: Content = tomllib.loads("""
name = "fuzz"
title = "To be spoiled"
universe = { window = 30, min_observed = 20 }
features = { kind = "price_volume", window = 30 }
fundamentals = { quarters = 4 }
label = { kind = "neutral_return", horizon = 5, clip_mad = 5.0, min_industry = 2 }
styles = { kind = "basic", clip = 5.0 }
plan = { first_test = 2020, train_years = 1, valid_years = 1, test_years = 1, every = 60, valid_every = 60 }
[fit]
lr = 0.001
epochs = 1
patience = 1
clip = 3.0
weight_average = 0.1
seeds = [0]
min_stocks = 5
days_per_step = 1
[test]
universes = ["all", "000905.SH"]
conventions = ["t1_close"]
horizons = [5]
samplings = ["daily"]
min_names = 5
decay = 2
groups = { all = 3 }
other_groups = 3
tops = ["top100"]
top_every = [5]
top_conventions = ["t1_close"]
cost_rate = 0.001
delist_haircut = 0.3
[[arms]]
name = "gru"
model = { kind = "gru", hidden = 4, patch = 3 }
loss = { kind = "ic" }
scaling = { kind = "by_day", trailing = 20 }
every = 60
[[arms]]
name = "decomp"
model = { kind = "decomp_gru", hidden = 4, groups = 2 }
[[arms]]
name = "ridge"
features = { kind = "hand_features", window = 1 }
weighting = { kind = "ridge", strengths = [0.1] }
[[combinations]]
name = "both"
of = ["gru", "decomp"]
horizon = 5
window = 60
min_days = 20
[[portfolios]]
index = "000905.SH"
constraints = "study_b"
arms = ["gru"]
capital = 1e8
haircut = 0.3
costs = { rate = 0.001, commission = 0.0003, minimum = 5.0, slippage = 0.0 }
""")
#: Settings that may be any whole number as well as a fraction, any text, or that lists of other kinds may replace.
ANY_TEXT = ("title",)
REQUIRED = (
    *(("name",), ("title",), ("plan",), ("plan", "first_test"), ("arms",), ("arms", 0, "name"), ("arms", 0, "model")),
    *(("arms", 0, "model", "kind"), ("combinations", 0, "name"), ("combinations", 0, "of"), ("portfolios", 0, "index")),
)


@dataclass(frozen=True)
class Ground:
    """The market that recipes are held against, and what the clean one comes to there."""

    market: Path
    opened: Market

    @staticmethod
    def of(market: Path) -> Ground:
        return Ground(market, open_market(market))

    def resolved(self, recipe: Path) -> Recipe:
        return with_market_names(load_recipe(str(recipe)), self.opened)

    def run(self, folder: Path, recipe: object, *more: object) -> Ended:
        """Plan it; nothing is trained."""
        where = ("--market", self.market, "--out", folder / "runs", "--workers", 0)
        return deepfactor("run", recipe, *where, "--dry-run", "--json", *more)

    def case(self, family: str, name: str, content: str | bytes | Content, *more: object, same: bool = False) -> Case:
        """A recipe file; `same`: it means what the clean one does."""
        raw = written(content) if isinstance(content, dict) else content
        raw = raw.encode() if isinstance(raw, str) else raw

        def run(folder: Path) -> Ended:
            (folder / "recipe.toml").write_bytes(raw)
            return self.run(folder, folder / "recipe.toml", *more)

        def as_clean(folder: Path, ended: Ended) -> bool:
            (folder / "clean.toml").write_text(written(BASE))
            return self.resolved(folder / "recipe.toml") == self.resolved(folder / "clean.toml")

        return Case(family, name, run, as_clean if same else None)


def numbers(ground: Ground) -> Iterator[Case]:
    """What is no number, or none of this kind, in the place of every number."""
    for path, value in leaves(BASE):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        for bad in NO_COUNT if isinstance(value, int) else (*NO_NUMBER, -1.0):
            listed = isinstance(bad, (list, dict)) and isinstance(path[-1], int)
            if not listed:
                yield ground.case("numbers", f"{dotted(path)} = {bad}", changed(BASE, path, bad))


def beyond(ground: Ground) -> Iterator[Case]:
    """Numbers that no plan, market or machine could hold."""
    years, counts = (999999999999, 200, 0), (10**12, 0)
    wanted: dict[str, tuple[Any, ...]] = {
        **{f"plan.{name}": years for name in ("train_years", "valid_years", "test_years")},
        **{f"plan.{name}": (*counts, 251) for name in ("every", "valid_every")},
        **{f"fit.{name}": counts for name in ("epochs", "patience", "days_per_step")},
        "fit.min_stocks": (10**12, 1000, 1),
        "fit.lr": (0, 1.5),
        "fit.clip": (0,),
        "fit.weight_average": (0, 1),
        "universe.window": (*counts, 19),
        "universe.min_observed": (*counts, 31),
        "features.window": (*counts, 31),
        "label.horizon": (*counts, 600),
        "test.horizons.0": (*counts, 620),
        "test.decay": (10**12, 251),
        "test.top_every.0": (*counts, 620),
        "test.other_groups": (10**12, 13),
        "test.groups.all": (10**12, 13),
        "test.min_names": (10**12, 13, 1),
        "test.cost_rate": (1,),
        "arms.0.model.hidden": (1e12, 10**9, 10**5, 0),
        "arms.0.model.patch": (10**12, 7, 0),
        "arms.1.model.hidden": (1e12, 30_000),
        "arms.1.model.groups": (10**12, 0),
        "arms.0.scaling.trailing": (10**12, 0),
        "combinations.0.window": (10**12, 19),
        "portfolios.0.capital": (0, 1e15),
        "portfolios.0.haircut": (1.1,),
        "portfolios.0.costs.rate": (0.6,),
    }
    for key, values in wanted.items():
        path = tuple(int(step) if step.isdigit() else step for step in key.split("."))
        for value in values:
            yield ground.case("beyond", f"{key} = {value}", changed(BASE, path, value))


def keys(ground: Ground) -> Iterator[Case]:
    """Misspelt keys in every table, keys that are missing."""
    random_ = random.Random(SEED)
    for path, table in tables(BASE):
        for name in table:
            if path[-1:] != ("groups",):  # its keys are names of universes
                bad = renamed(BASE, (*path, name), misspelt(name, random_.randrange(9)))
                yield ground.case("keys", f"misspelt {dotted((*path, name))}", bad)
    for path in REQUIRED:
        yield ground.case("keys", f"without {dotted(path)}", without(BASE, path))


def types(ground: Ground) -> Iterator[Case]:
    """A word for a table or a list, a table for a word."""
    for path, _ in tables(BASE):
        if path:
            yield ground.case("types", f"{dotted(path)} = 3", changed(BASE, path, 3))
    for path, value in leaves(BASE):
        if isinstance(value, str) and path not in (("portfolios", 0, "arms", 0),):
            for bad in (3, {"x": 1}, ["a"], ""):
                if (bad != "" or path[-1] not in ANY_TEXT) and not (isinstance(path[-1], int) and bad == ["a"]):
                    yield ground.case("types", f"{dotted(path)} = {bad!r}", changed(BASE, path, bad))


def names(ground: Ground) -> Iterator[Case]:
    """Names that can't be folders, names twice, names of nothing."""
    for bad in ("a/b", "..", ".", "", " ", "x" * 300, "a\x00b", "a\nb", "沪", "-rf", "a:b", "jobs"):
        yield ground.case("names", f"name = {bad[:9]!r}", changed(BASE, ("name",), bad))
        if bad != "jobs":
            yield ground.case("names", f"arm {bad[:9]!r}", changed(BASE, ("arms", 2, "name"), bad))
            yield ground.case("names", f"combination {bad[:9]!r}", changed(BASE, ("combinations", 0, "name"), bad))
    yield ground.case("names", "two arms of one name", changed(BASE, ("arms", 1, "name"), "gru"))
    yield ground.case("names", "a combination by an arm's name", changed(BASE, ("combinations", 0, "name"), "gru"))
    for path, bad in (
        *((("combinations", 0, "of"), of) for of in ([], ["gru"], ["gru", "gru"], ["gru", "nobody"])),
        *((("portfolios", 0, "arms"), of) for of in (["nobody"], ["gru", "gru"], [""])),
        *((("portfolios", 0, "constraints"), text) for text in ("study_c", "gone.toml", "a\x00b", "/", ".")),
        *((("portfolios", 0, "index"), text) for text in ("csi5000", "000016.SH", "600001.SH", "", "all", "csi500.")),
        *((("test", "universes"), of) for of in ([], ["al"], ["all", "ALL"], ["csi500", "000905.SH"], [""])),
        (("test", "groups"), {"al": 3}),
        (("test", "all_share_index"), "000999.SH"),
        (("arms", 0, "published"), "study_c/x"),
        (("title",), "a\x07b"),
    ):
        yield ground.case("names", f"{dotted(path)} = {bad!r}", changed(BASE, path, bad))


def kinds(ground: Ground) -> Iterator[Case]:
    """Kinds that there aren't, and code that nobody allowed."""
    for path, value in leaves(BASE):
        if path[-1] == "kind" and isinstance(value, str):
            for bad in ("nothing", value.upper(), "base", "_layers", "os:path", "mylab.net", value + ".py", "a b"):
                yield ground.case("kinds", f"{dotted(path)} = {bad}", changed(BASE, path, bad))


def choices(ground: Ground) -> Iterator[Case]:
    """Words that are no choice, lists with a choice twice, or none."""
    for key, bad in (
        *(("conventions", bad) for bad in ([], ["t2_close"], ["t1_close", "t1_close"], "t1_close")),
        *(("samplings", bad) for bad in ([], ["weekly"])),
        *(("horizons", bad) for bad in ([], [5, 5])),
        *(("tops", bad) for bad in (["top10"], ["top100", "top100"])),
        *(("top_every", bad) for bad in ([], [5, 5])),
        *(("top_conventions", bad) for bad in ([], ["t9"])),
        ("preset", "study_c"),
        ("group_definitions", "study_c"),
    ):
        yield ground.case("choices", f"test.{key} = {bad}", changed(BASE, ("test", key), bad))
    for path, bad in (
        (("fit", "seeds"), []),
        (("fit", "seeds"), [0, 0]),
        (("fit", "seeds"), list(range(101))),
        (("arms",), []),
        (("features", "fields"), []),
        (("features", "fields"), ["close", "close"]),
        (("arms", 0, "fit_on"), "train"),
        (("arms", 0, "model", "precision"), "float16"),
        (("label", "convention"), "t3"),
        (("label", "neutralise"), ["size", "style"]),
        (("label", "neutralise"), ["size", "size"]),
        (("arms", 0, "label"), {"kind": "neutral_return", "neutralise": "size"}),
        (("arms", 0, "beside"), []),
        (("arms", 0, "model", "split"), "before"),
        (("arms", 2, "loss"), {"kind": "weighted_mse"}),
        (("arms", 0, "graph"), {"kind": "industry"}),
        (("arms", 0, "weighting"), {"kind": "ridge"}),
    ):
        yield ground.case("choices", f"{dotted(path)} = {str(bad)[:30]}", changed(BASE, path, bad))


def days(ground: Ground) -> Iterator[Case]:
    """Days that are none, that lie nowhere, that lie in the wrong order; and days in other forms."""
    for bad in (
        "yesterday",
        "02/01/2020",
        202001,
        20201301,
        True,
        "2020-02-30",
        1577836800,
        "1577836800",
        dt.date(1, 1, 1),
    ):
        yield ground.case("days", f"first_test = {bad!r}", changed(BASE, ("plan", "first_test"), bad))
        for path in (("test", "start"), ("portfolios", 0, "start")):
            yield ground.case("days", f"{dotted(path)} = {bad!r}", changed(BASE, path, bad))
    for path, bad in (
        (("plan", "first_test"), 2018),
        (("plan", "first_test"), 2021),
        (("plan", "last_test"), 2019),
        (("test", "start"), 20210104),
        (("test", "end"), 20191231),
        (("portfolios", 0, "start"), 20210104),
        (("portfolios", 0, "end"), 20191231),
    ):
        yield ground.case("days", f"{dotted(path)} = {bad}", changed(BASE, path, bad))
    for good in ("2020-01-01", 20200101, "20200101", "2020/1/1", dt.date(2020, 1, 1), "2020"):
        same = changed(BASE, ("plan", "first_test"), good)
        case = ground.case("days", f"first_test = {good!r} is a day", same)
        yield Case(case.family, case.name, case.run, lambda folder, _: _begins_2020(ground, folder))


def _begins_2020(ground: Ground, folder: Path) -> bool:
    return ground.resolved(folder / "recipe.toml").plan.test_start == dt.date(2020, 1, 1)


def files(ground: Ground) -> Iterator[Case]:
    """Files that are no recipe; places that are no file; and files that are only written differently."""
    for what, content in NO_TOML.items():
        yield ground.case("files", what, content)
    for what, place in {
        "a folder": ".",
        "nothing": "gone.toml",
        "a name too long": "x" * 300,
        "a path through a file": "/etc/passwd/x.toml",
        "no recipe's name": "study_c",
        "an empty name": "",
    }.items():
        yield Case("files", what, lambda folder, place=place: ground.run(folder, folder / place if place else ""))
    clean = written(BASE)
    shuffled = dict(random.Random(SEED).sample(list(BASE.items()), len(BASE)))
    yield ground.case("files", "a byte order mark", b"\xef\xbb\xbf" + clean.encode(), same=True)
    yield ground.case("files", "line ends of Windows", clean.replace("\n", "\r\n"), same=True)
    yield ground.case("files", "another order", shuffled, same=True)
    yield ground.case("files", "remarks", "# 备注\n" + clean.replace("\n", " # 说明\n"), same=True)
    cut = random.Random(SEED)
    for _ in range(10):  # within a value
        at = cut.choice([i for i, letter in enumerate(clean) if letter == "="]) + 2
        yield ground.case("files", f"cut at {at}", clean[:at])


def overrides(ground: Ground) -> Iterator[Case]:
    """``--set`` that says nothing, or nothing that there is; and that says the same as the file."""
    for bad in (
        *("fit.epochs", "=3", "", "fit..epochs=1", ".epochs=1", "fit.epoch=3", "fits.epochs=3", "arms.9.name=x"),
        *("arms.x.name=y", "name.x=1", "fit.epochs=", "fit.epochs=[", "fit.epochs=nan", "fit=3", "arms=3", "x=1"),
        *("fit.seeds.9=1", "fit.seeds=0", "plan.train_years=999999999999", "arms.0.model.kind=grue", "arms.-1.name=x"),
    ):
        yield ground.case("overrides", bad, BASE, "--set", bad)
    for good in (
        *("fit.epochs=1", "fit.epochs=1.0", 'portfolios.0.index="csi500"', "portfolios.0.index=CSI 500"),
        *("portfolios.0.index=000905", "portfolios.0.index=399905.SZ", "portfolios.0.index=中证500", "fit.seeds=[0]"),
        *('test.universes=["ALL", "zz500"]', "arms.0.scaling.trailing=20", "plan.first_test=2020"),
    ):
        case = ground.case("overrides", good, BASE, "--set", good)

        def as_clean(folder: Path, _: Ended, setting: str = good) -> bool:
            (folder / "clean.toml").write_text(written(BASE))
            mine = with_market_names(load_recipe(str(folder / "recipe.toml"), [setting]), ground.opened)
            return mine == ground.resolved(folder / "clean.toml")

        yield Case(case.family, case.name, case.run, as_clean)


FAMILIES = (numbers, beyond, keys, types, names, kinds, choices, days, files, overrides)
