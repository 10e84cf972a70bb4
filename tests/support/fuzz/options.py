"""Words of the command line: options, and places that are something else than they are given for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.cli import Ended, deepfactor
from support.fuzz import Case

LONG = "x" * 300


@dataclass(frozen=True)
class Ground:
    """A market, a factor on it and the folder of its test."""

    market: Path
    factor: Path
    tested: Path

    def case(self, family: str, *words: object) -> Case:
        """A command that has to be refused. ``out`` in it is a place of the case's own, ``file`` a file there, ``loop``
        a link to itself; the market and the factor must be as they were."""

        def run(folder: Path) -> Ended:
            (folder / "file").write_text("mine")
            (folder / "folder").mkdir()
            (folder / "loop").symlink_to(folder / "loop")
            own = {name: folder / name for name in ("out", "file", "folder", "loop", "file/out", "loop/out")}
            own |= {LONG: folder / LONG, "M/out": self.market / "out"}
            given = [own.get(word, word) if isinstance(word, str) else word for word in words]
            before = self._listed()
            ended = deepfactor(*given)
            assert self._listed() == before, "something was written into the market"
            left = [name for name in ("out",) if (folder / name).exists()]
            assert not left, f"left behind: {left}"
            return ended

        shown = " ".join(str(word)[-20:] for word in words)
        return Case(family, shown, run)

    def _listed(self) -> set[str]:
        return {entry.name for entry in self.market.iterdir()}


def tests(ground: Ground) -> Iterator[Case]:
    """``test``: options that say nothing, or what the market doesn't have."""
    command = ("test", ground.factor, "--market", ground.market, "--out", "out")
    for more in (
        *(("--horizon", bad) for bad in ("0", "-5", "x", "1e3", "5,5", "", ",", "5.5", "1000000", "nan")),
        *(("--universe", bad) for bad in ("", ",", "al", "csi300", "all,ALL", "csi500,000905.SH", "600001.SH")),
        *(("--start", bad) for bad in ("yesterday", "2020-02-30", "02/01/2020", "2031-01-01", "", "20201301")),
        *(("--end", bad) for bad in ("1989-01-01", "2019-01-01")),
        ("--start", "2020-03-02", "--end", "2020-02-03"),
        ("--preset", "study_c"),
        ("--language", "fr"),
        ("--arm", "gru"),
        ("--no-such-option",),
        ("more", "words"),
    ):
        yield ground.case("tests", *command, *more)


def portfolios(ground: Ground) -> Iterator[Case]:
    """``enhance``: amounts, spans and what-ifs that can't be."""
    command = ("enhance", ground.factor, "--market", ground.market, "--out", "out", "--index", "csi500")
    for more in (
        *(("--capital", bad) for bad in ("0", "-1", "nan", "inf", "1e400", "many", "true", "1e16")),
        *(("--index", bad) for bad in ("", "csi300", "000001.SH", "all", "600001.SH", "csi")),
        *(("--start", bad) for bad in ("2031-01-01", "tomorrow", "20200230")),
        *(("--end", bad) for bad in ("2019-12-31", "1990-01-01")),
        ("--start", "2020-05-01", "--end", "2020-03-02"),
        ("--start", "2020-03-03", "--end", "2020-03-04"),
        *(("--what-if", f"turnover.limit={bad}") for bad in ("nan", "-1", "true", "x", "", "[]", "{}")),
        *(("--what-if", bad) for bad in ("turnover", "=3", "beta=1", "cash=2", "cost_rate=inf", "turnover.sided=both")),
        *(("--what-if", bad) for bad in ("capacity=off", "a=1,b=2", "costs.kind=free", "fill=open", "name=x")),
        ("--constraints", "folder"),
        ("--constraints", ground.factor),
    ):
        yield ground.case("portfolios", *command, *more)


def runs(ground: Ground) -> Iterator[Case]:
    """``run``: workers, devices and recipes that there aren't."""
    command = ("run", "study_b_reduced", "--market", ground.market, "--out", "out")
    for more in (
        *(("--workers", bad) for bad in ("-1", "1e9", "x", "", "1.5", "100000")),
        *(("--device", bad) for bad in ("cuda", "cuda:99", "tpu", "", "meta", "cpu:x")),
        ("--set",),
        ("--set", "fit.epoch=3"),
    ):
        yield ground.case("runs", *command, *more)
    yield ground.case("runs", "run", "study_z", "--market", ground.market, "--out", "out")
    yield ground.case("runs", "run", "--market", ground.market)
    yield ground.case("runs", "run", "demo")


def combined(ground: Ground) -> Iterator[Case]:
    """``combine`` and ``compare`` of one, of the same twice, of what has nothing in common."""
    where = ("--market", ground.market, "--out", "out.parquet")
    factor = ground.factor
    for words in (
        (factor,),
        (factor, factor),
        (factor, "gone.parquet"),
        (factor, ground.market),
        (factor, "file"),
    ):
        yield ground.case("combined", "combine", *words, *where)
    for bad in ("average", ""):
        yield ground.case("combined", "combine", factor, ground.tested, *where, "--method", bad)
    for name, bad in (
        ("horizon", "0"),
        ("horizon", "99999"),
        ("window", "0"),
        ("min-days", "300"),
        ("convention", "t9"),
    ):
        yield ground.case("combined", "combine", factor, ground.tested, *where, f"--{name}", bad)
    for runs_ in (
        (),
        (ground.tested,),
        (ground.tested, ground.tested),
        (ground.tested, ground.market),
        (ground.tested, "file"),
    ):
        yield ground.case("combined", "compare", *runs_, "--out", "out")


def places(ground: Ground) -> Iterator[Case]:
    """A market for a run, a run for a market, a file for a folder, a circle of links, names that are too long."""
    factor, market, run = ground.factor, ground.market, ground.tested
    for words in (
        *(("report", place) for place in (market, "file", "folder", "loop", "gone", LONG)),
        *(("check", place) for place in ("file", "folder", "loop", "gone", LONG)),
        *(("test", factor, "--market", place, "--out", "out") for place in (run, "file", "folder", "loop", LONG)),
        *(("test", place, "--market", market, "--out", "out") for place in (market, "file", "folder", "loop", LONG)),
        *(("test", factor, "--market", market, "--out", place) for place in (market, "M/out", "file", "file/out")),
        *(("test", factor, "--market", market, "--out", place) for place in ("loop/out", LONG, "/proc/x")),
        *(
            ("enhance", factor, "--market", market, "--index", "csi500", "--out", p)
            for p in (market, "M/out", "file/out")
        ),
        *(("run", "demo", "--market", market, "--out", place) for place in (market, "M/out")),
        *(("combine", factor, run, "--market", market, "--out", p) for p in ("file", "folder", factor, "M/out")),
        *(("compare", run, run, "--out", place) for place in (market, "file")),
        *(("simulate", place, "--stocks", 50) for place in ("file", market, "M/out", run, "file/out", "/proc/x")),
        *(("ingest", "ashare_parquet", place, "--folder", "folder") for place in ("out", "file", run)),
        *(
            ("ingest", source, "out", "--folder", "folder")
            for source in ("gone.toml", "file", "folder", "simulated", "")
        ),
        *(("check", market, "--html", place) for place in ("folder", "file/out", "/proc/x")),
        ("demo", "--out", market),
        ("frobnicate",),
    ):
        yield ground.case("places", *words)


def simulated(ground: Ground) -> Iterator[Case]:
    """``simulate``: markets that can't be."""
    for more in (
        *(("--stocks", bad) for bad in ("0", "49", "1e3", "1000000", "x")),
        *(("--seed", bad) for bad in ("-1", "x", "1.5")),
        *(("--alpha", bad) for bad in ("nan", "inf", "-1", "99")),
        *(("--only", bad) for bad in ("magic", "trend,magic")),
        *(("--start", bad) for bad in ("1990-01-02", "x", "2099-01-01", "2019-13-01")),
        ("--start", "2020-01-02", "--end", "2019-01-02"),
        ("--start", "2020-01-01", "--end", "2020-01-01"),
        ("--start", "2020-01-04", "--end", "2020-01-05"),
    ):
        yield ground.case("simulated", "simulate", "out", *more)


FAMILIES = (tests, portfolios, runs, combined, places, simulated)
