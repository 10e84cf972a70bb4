"""The files that commands leave, by folder: what each holds, and of JSON its keys, read off the records in the code."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc, isclass
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from deepfactor.backtest.active_risk import ActiveRiskFile
from deepfactor.backtest.placebo import Draw, PlaceboFile
from deepfactor.backtest.records import PairedPortfolio, SeedsFile, SummaryFile
from deepfactor.desk.evening_record import EveningRecord
from deepfactor.desk.order_file import OrdersRecord
from deepfactor.desk.record import RebalanceFile
from deepfactor.desk.releases import ReleaseRecord
from deepfactor.evaluation.records import FactorFile, OracleFile, PairedEntry
from deepfactor.panel.build.arrays import PanelFile
from deepfactor.pipeline.cleaning import RefersFile
from deepfactor.pipeline.combining import CombinationFile
from deepfactor.pipeline.models import ModelChange
from deepfactor.pipeline.monitoring import MonitorRecord
from deepfactor.pipeline.nightly import NightlyRecord
from deepfactor.pipeline.scoring import DayRecord
from deepfactor.pipeline.what_if import WhatIfFile
from deepfactor.risk.files import RiskFile
from deepfactor.runs.done import Record
from deepfactor.runs.environment import EnvironmentFile
from deepfactor.runs.failures import Failure
from deepfactor.runs.layout import RecipeFile
from deepfactor.store.holdout import HoldoutEvent
from deepfactor.store.records import ManifestFile
from deepfactor.store.trials import Deflated, Trial
from deepfactor.training.records import (
    AxesFile,
    EpochRecord,
    JobIdentity,
    JobRecord,
    ModelCard,
    TrainedRecord,
    TrainingFile,
    WeightingFile,
)
from research.docs_keys import Page, anchor, attributes, paragraphs, row


@dataclass(frozen=True)
class File:
    """A file by its name below its folder, with ``*`` for what differs, and what it holds; of JSON objects `record`."""

    name: str
    holds: str
    record: type | None = None


#: By folder: how it is called, and its files. A test holds it against the files that commands leave.
FOLDERS: Mapping[str, tuple[File, ...]] = {
    "A market": (
        File("manifest.json", "what the market is: its source, its tables, how they were made", ManifestFile),
        File("tables/*/*.parquet", "the tables, by name; their columns: [mapping keys](../mapping-keys.md)"),
        File("panel/*/panel.json", "the compiled panel: what its arrays are of", PanelFile),
        File("panel/*/checksums.json", "checksum of each file of the folder"),
        File("panel/*/*.npy", "arrays of the panel: days × stocks"),
        File("panel/*/*/*.npy", "the same, by field, universe or index"),
        File("panel/*/fundamentals/*/*.npy", "figures of the companies"),
        File("risk/*/risk.json", "a risk model: what it is of", RiskFile),
        File("risk/*/*.npy", "arrays of the risk model"),
        File("risk/*/state-*.npz", "the risk model at the end of a year, to go on from"),
        File("placebo/*/*.jsonl", "draws of random scores, a line each", Draw),
        File("market.toml", "written by hand: which days are locked"),
        File("holdout.jsonl", "what became of the locked days, a line each time", HoldoutEvent),
        File("trials.jsonl", "every result that was made on the market, a line each", Trial),
    ),
    "Beside a market": (File("*.oracle.parquet", "the truth of a simulated market: date, symbol, score"),),
    "A run": (
        File("recipe.json", "the resolved recipe: every default written out", RecipeFile),
        File("environment.json", "where and on what it was made, and how long it took", EnvironmentFile),
        File("refers.json", "jobs and arrays that the last call read", RefersFile),
        File("stages.json", "what is done, by the place of each result", Record),
        File("failures.json", "only where parts failed: a list of what did", Failure),
        File("checksums.json", "checksum of each file of the folder"),
        File("model_correlation.json", "mean daily rank correlation of the scores, arm → arm"),
        File("paired.json", "a list: each arm beside each other one", PairedEntry),
        File("paired_portfolios.json", "a list: each portfolio beside each other one", PairedPortfolio),
        File("oracle.json", "of a simulated market: how near its truth the scores come", OracleFile),
        File("trials.json", "a list: each result among all trials of the market", Deflated),
        File("report.html", "the report"),
        File("report.json", "the report's numbers"),
        File("report.xlsx", "the report as a workbook, a sheet a table"),
        File("run.log", "what was printed"),
        File("arms/*/scores.parquet", "date, symbol, score: the mean of the seeds"),
        File("arms/*/scores_seed*.parquet", "the same of one seed"),
        File("arms/*/factor_report.json", "the factor test", FactorFile),
        File("arms/*/ic_series.parquet", "the daily coefficients behind the means"),
        File("arms/*/residual_ic_series.parquet", "the same of what styles and industries leave of the score"),
        File("arms/*/group_nav.parquet", "net asset values of the groups"),
        File("arms/*/model_card.json", "what scores, what it reads and what it is fitted on", ModelCard),
        File("arms/*/training.json", "how the jobs were fitted", TrainingFile),
        File("arms/*/combination.json", "of a combination: what it is made of", CombinationFile),
        File("arms/*/edges.parquet", "with `--edges`: the graphs, an edge a row"),
        File("scores/*/*.parquet", "scores of one day, left by `deepfactor score`"),
        File("scores/*/*.json", "of these scores: where they come from", DayRecord),
        File("monitor/*/*.json", "what `deepfactor monitor` found", MonitorRecord),
    ),
    "A portfolio of a run": (
        File("summary.json", "what the backtest came to", SummaryFile),
        File("constraints.json", "the constraints as resolved, with the keys of a constraint file"),
        File("what_if.json", "with `--what-if`: what other settings would have changed", WhatIfFile),
        File("risk.json", "what the risk model foresaw, and what came", ActiveRiskFile),
        File("placebo.json", "the portfolio beside random scores", PlaceboFile),
        File("seeds.json", "the portfolio of each seed", SeedsFile),
        File("weights.parquet", "weights of every rebalance, a name a row"),
        File("trades.parquet", "every fill"),
        File("rejected.parquet", "every order that was not filled, and why"),
        File("nav.parquet", "net asset values, a day a row"),
        File("relaxations.parquet", "bounds that were not kept"),
        File("binding.parquet", "bounds that have a price"),
        File("rebalances.parquet", "a rebalance a row"),
        File("attribution.parquet", "the active return by part, a day and part a row"),
        File("exposures.parquet", "active exposures to styles and industries"),
        File("risk.parquet", "forecasts of the active risk, a rebalance a row"),
    ),
    "Runs and their jobs": (
        File("index.html", "leads to the report of every run"),
        File("jobs/*/job.json", "what the job's key is the hash of", JobIdentity),
        File("jobs/*/log.jsonl", "an epoch a line", EpochRecord),
        File("jobs/*/checkpoint.safetensors", "where a fit goes on from"),
        File("jobs/*/weights.safetensors", "the fitted network"),
        File("jobs/*/weighting.json", "the fitted weighting", WeightingFile),
        File("jobs/*/trained.json", "how the fit went", TrainedRecord),
        File("jobs/*/scores.npy", "the days scored so far: days × stocks"),
        File("jobs/*/axes.json", "which days and stocks these are", AxesFile),
        File("jobs/*/done", "comes last", JobRecord),
        File("jobs/*/checksums.json", "checksum of each file of the folder"),
        File("jobs/inputs-*/**", "arrays that training reads; they are made again where they lack"),
    ),
    "The desk": (
        File("*/rebalance.json", "the trades of tomorrow: how they were decided", RebalanceFile),
        File("*/trades.csv", "the orders"),
        File("*/undone.csv", "what the target asks for and the orders leave out"),
        File("*/targets.csv", "weights by name"),
        File("*/constraints.csv", "a bound a row"),
        File("*/exposures.csv", "active exposures before, in the target and as expected"),
        File("*/risk.csv", "with a risk model: forecasts before, in the target and as expected"),
        File("*/book.csv", "the account that it started from; of a reconciled evening that of the evening"),
        File("*/reconcile.json", "the evening after the fills", EveningRecord),
        File("*/fills.csv", "an order a row: what was filled, and at which price"),
        File("orders-*.csv", "orders in a broker's form, also `.dbf`"),
        File("orders-*.json", "of these orders: what was written", OrdersRecord),
        File("releases.jsonl", "who released which rebalance, a line a release", ReleaseRecord),
        File("models.jsonl", "which model is in use, a line a change", ModelChange),
        File("evenings/*.json", "an evening of `deepfactor nightly`", NightlyRecord),
        File("evenings/*.xlsx", "the same as a workbook"),
    ),
}
_INTRO = {
    "en": (
        "# Result files",
        "",
        "What commands leave, by folder; of JSON files their keys. `*` stands for what differs: a key of 16 hex "
        "digits, a name, a day. What numbers mean, and the columns of tables: [conventions](../conventions.md).",
    ),
    "zh": (
        "# 结果文件",
        "",
        "各命令留下的文件，按文件夹；JSON文件列出其键。`*`代表各不相同的部分：16位十六进制的键、名称或日期。"
        "数值的含义与各表的列见[约定](../conventions.md)。",
    ),
}
_FILES = {"en": ("file", "holds", "keys"), "zh": ("文件", "内容", "键")}
_KEYS = {"en": ("key", "is", "meaning"), "zh": ("键", "类型", "含义")}
_RECORDS = {"en": "Keys of the JSON files", "zh": "JSON文件的键"}
_MAYBE = {"en": ", may be absent", "zh": "，可缺"}
_OR_NULL = {"en": " or null", "zh": "或null"}
_LIST = {"en": "list of {}", "zh": "列表，元素为{}"}
_TABLE = {"en": "table of {}", "zh": "表，元素为{}"}
_ANY = {"en": "as it comes", "zh": "视情形"}
_PLAIN: Mapping[object, Mapping[str, str]] = {
    str: {"en": "text", "zh": "文本"},
    int: {"en": "whole number", "zh": "整数"},
    float: {"en": "number", "zh": "数"},
    bool: {"en": "true or false", "zh": "true或false"},
    object: _ANY,
    Any: _ANY,
}


def file_lines(language: str) -> Iterator[str]:
    """The page: folders with their files, then every record."""
    page = Page("files", language)
    yield from _INTRO[language]
    for folder, files in FOLDERS.items():
        yield from ("", f"## {page.said(folder)}", "", row(*_FILES[language]), row("---", "---", "---"))
        for one in files:
            yield row(f"`{one.name}`", page.said(one.holds), _kind(one.record, page) if one.record else "")
    yield from ("", f"## {page.word(_RECORDS)}")
    for record in records():
        yield from ("", f"### {record.__name__}", "")
        yield from _record_lines(record, page)


def _record_lines(record: type, page: Page) -> Iterator[str]:
    """What a record says of itself, and its keys; their meaning where it says it of each."""
    said, _, section = cleandoc(record.__doc__ or "").partition("Attributes\n----------\n")
    for paragraph in paragraphs(said):
        yield from (page.said(paragraph), "")
    meanings = attributes(section)
    heads = _KEYS[page.language][: 3 if meanings else 2]
    yield from (row(*heads), row(*["---"] * len(heads)))
    for name, hint in get_type_hints(record, include_extras=True).items():
        lacks = get_origin(hint) is NotRequired or name in getattr(record, "__optional_keys__", ())
        kind = _kind(hint, page) + (page.word(_MAYBE) if lacks else "")
        yield row(f"`{name}`", kind, *([page.said(meanings[name])] if meanings else []))


def records() -> list[type]:
    """Records of the files and those within them, each once, in their order."""
    found: dict[type, None] = {}
    rest: list[type] = [one.record for files in FOLDERS.values() for one in files if one.record]
    while rest:
        record = rest.pop(0)
        if record not in found:
            found[record] = None
            rest[:0] = [inner for hint in get_type_hints(record).values() for inner in _within(hint)]
    return list(found)


def _within(hint: Any) -> Iterator[type]:
    if _is_record(hint):
        yield hint
    for inner in get_args(hint):
        yield from _within(inner)


def _is_record(hint: Any) -> bool:
    return is_typeddict(hint) or (isclass(hint) and hasattr(hint, "__dataclass_fields__"))


def _kind(hint: Any, page: Page) -> str:
    """A type in a reader's words; of a record a link."""
    origin, within = get_origin(hint), get_args(hint)
    if _is_record(hint):
        return f"[{hint.__name__}](#{anchor(hint.__name__)})"
    if origin is NotRequired:
        return _kind(within[0], page)
    if origin is Literal:
        return " / ".join(f'`"{one}"`' for one in within)
    if origin in (Union, types.UnionType):
        said = dict.fromkeys(_kind(one, page) for one in within if one is not types.NoneType)
        return " / ".join(said) + (page.word(_OR_NULL) if types.NoneType in within else "")
    if origin is None:
        return page.word(_PLAIN[hint])
    if issubclass(origin, Mapping):
        return page.word(_TABLE).format(_kind(within[1], page))
    return page.word(_LIST).format(" / ".join(dict.fromkeys(_kind(one, page) for one in within if one is not ...)))
