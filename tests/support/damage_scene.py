"""A market, trained jobs, runs and results of every kind that commands leave, small; and what a file of them is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from support.cli import deepfactor
from support.recipe import TINY

#: All parts of training arrays, kept scalings, jobs with and without networks, a combination, a portfolio.
RECIPE = (
    TINY.split("[[arms]]")[0].replace("epochs = 2", "epochs = 1")
    + """
[[arms]]
name = "related"
model = { kind = "bi_agru_gat", hidden = 4, layers = 1, heads = 1, head_size = 4, factors = 2 }
graph = { kind = "industry" }
scaling = "by_day"

[[arms]]
name = "second"
model = { kind = "bi_agru", hidden = 4, layers = 1, factors = 2, orthogonal = true, project = ["size"] }
weighting = { kind = "ridge" }
fit_on = "train"

[[arms]]
name = "ridge"
features = { kind = "hand_features" }
weighting = { kind = "ridge" }

[[combinations]]
name = "both"
of = ["related", "ridge"]

[[portfolios]]
index = "000905.SH"
constraints = "study_b"
arms = ["ridge"]
"""
)

_PANEL = (
    r"panel\.json|checksums\.json|(dates|symbols|next_date|first_row)\.npy|(fields|universe)/\w+\.npy|"
    r"(members|benchmark|index_weighting|index_close|index_total_return)/[\w.]+\.npy|fundamentals/\w+/\w+\.npy"
)
_RUN = r"(runs/tiny|tested|enhanced)"
#: Form of a file's name → who reads it. What isn't here is a new kind of file: say how damage to it is found.
KINDS: Mapping[str, str] = {
    r"market/manifest\.json": "tables",
    r"market/tables/\w+/[\w-]+\.parquet": "tables",
    rf"market/panel/KEY/({_PANEL})": "panel",
    r"market/risk/KEY/(risk\.json|\w+\.npy|state-\d+\.npz)": "risk",
    r"market\.oracle\.parquet": "oracle",
    r"runs/jobs/KEY/(job\.json|log\.jsonl|checkpoint\.safetensors|weights\.safetensors)": "jobs",
    r"runs/jobs/KEY/(weighting\.json|trained\.json|scores\.npy|axes\.json|done|checksums\.json)": "jobs",
    r"runs/jobs/inputs-KEY/(\w+\.npy|inputs\.json|checksums\.json)": "arrays",
    r"runs/jobs/inputs-KEY/(fundamentals|graph|exposures)-KEY/(\w+\.npy|part\.json|checksums\.json)": "arrays",
    r"runs/jobs/inputs-KEY/scaled-KEY-\d+/(\d+\.standard|rows\.npy|checksums\.json)": "scaled",
    rf"{_RUN}/(recipe|environment|refers|stages|checksums|model_correlation|paired|oracle|report)\.json": "results",
    rf"{_RUN}/(paired_portfolios|trials)\.json": "results",
    rf"{_RUN}/report\.(html|xlsx)": "results",
    rf"{_RUN}/arms/\w+/(factor_report|model_card|training|combination)\.json": "results",
    rf"{_RUN}/arms/\w+/(scores|scores_seed\d|ic_series|residual_ic_series|group_nav|edges)\.parquet": "results",
    rf"{_RUN}/portfolio/\w+/[\w.]+/\w+/(summary|constraints|what_if|risk|placebo|seeds)\.json": "results",
    # lines with checksums of their own: a damaged one counts as not there, and is made again
    r"market/placebo/KEY/KEY\.jsonl": "",
    r"market/trials\.jsonl": "",
    rf"{_RUN}/portfolio/\w+/[\w.]+/\w+/(weights|trades|rejected|nav|relaxations|binding)\.parquet": "results",
    rf"{_RUN}/portfolio/\w+/[\w.]+/\w+/(rebalances|attribution|exposures|risk)\.parquet": "results",
    # nothing reads these: a lock, what was printed, and pages made anew from other files
    r"(.*/)?\.lock": "",
    rf"{_RUN}/run\.log": "",
    r"runs/index\.html": "",
}


def make_scene(folder: Path) -> None:
    """Simulate, run, test, enhance."""
    market, runs = folder / "market", folder / "runs"
    (folder / "recipe.toml").write_text(RECIPE)
    commands = (
        ("simulate", market, "--stocks", 110, "--start", "2018-01-02", "--end", "2020-03-31"),
        ("risk", market, "--styles", "basic"),
        ("run", folder / "recipe.toml", "--market", market, "--out", runs, "--workers", 0, "--edges"),
        ("test", runs / "tiny", "--arm", "ridge", "--market", market, "--out", folder / "tested", "--horizon", 5),
        ("enhance", runs / "tiny", "--arm", "ridge", "--market", market, "--out", folder / "enhanced"),
    )
    for verb, *words in commands:
        more = ("--index", "000905.SH", "--what-if", "max_active_weight=0.02") if verb == "enhance" else ()
        ended = deepfactor(verb, *words, *more)
        assert ended.code == 0, ended.err
    (folder / "recipe.toml").rename(folder.with_name(f"{folder.name}.toml"))


def kind_of(name: str) -> tuple[str, str] | None:
    """The kind of a file of the scene, and who reads it; None = unknown."""
    form = re.sub(r"[0-9a-f]{16}", "KEY", name)
    reader = next((reader for pattern, reader in KINDS.items() if re.fullmatch(pattern, form)), None)
    if reader is None:
        return None
    named = r"(?<=/)(\w+)\.(?=npy|parquet$)" if reader in ("panel", "arrays", "tables") else r"(?!)"
    kind = re.sub(r"\d{4}-\d\d|\d+(?=\.standard)|(?<=scores_seed)\d", "N", form)
    kind = re.sub(r"(?<=tables/)\w+/.*|(?<=arms/)\w+|(?<=fundamentals/)\w+(?=/)", "*", kind)
    return re.sub(rf"{named}|[\d]{{6}}\.\w\w\.", "*.", kind), reader


def digest(value: Any) -> str:
    """Of any of our values: dataclasses, mappings, sequences, tables, arrays."""
    return hashlib.sha256(repr(_plain(value)).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, pl.DataFrame):
        return value.to_dict(as_series=False)
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest())
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
