"""Tables of the run itself: what was left out, training jobs, stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deepfactor.report.content import RunContent
from deepfactor.report.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.words import Text, joined, words


def missing(content: RunContent) -> Table | None:
    """What of the run isn't there, and why."""
    text = words().text
    rows = [label_cells(text[f"stage.{one.stage}"], one.what, words().sentence(one.message)) for one in content.missing]
    return make("missing", text["missing"], ("part", "what_missing", "why_missing"), rows, text["missing_note"])


def left_out(content: RunContent) -> Table | None:
    """What the numbers of the first page leave out: counts of the whole test and of the lead universe's main test."""
    main = f"{content.lead}.{content.main}.10.all"
    chosen = (f"groups.{content.lead}.", f".{main}", f".{content.main}.10")
    return _left_out(content, "left_out", lambda r: "." not in r or r.startswith(chosen[0]) or r.endswith(chosen[1:]))


def left_out_rest(content: RunContent) -> Table | None:
    """Every count of what was left out."""
    return _left_out(content, "left_out_all", lambda _: True)


def _left_out(content: RunContent, name: str, wanted: Callable[[str], bool]) -> Table | None:
    rows = [
        (*label_cells(arm.name, _reason(reason)), Cell(count, "count"))
        for arm in content.arms
        for reason, count in (arm.factor_report.get("dropped") or {}).items()
        if wanted(reason)
    ]
    return make(name, words().text[name], ("arm", "what", "count"), rows, words().text["left_out_note"])


def _reason(path: str) -> Text:
    """A dotted count's name, part by part; universes by their names."""
    for code in ("000300.SH", "000905.SH", "000852.SH", "000985.SH"):
        path = path.replace(code, code.replace(".", "~"))
    parts = (part.replace("~", ".") for part in path.split("."))
    return joined(" · ", [_part(part) for part in parts])


def _part(part: str) -> Text:
    return words().term(part) if part in words().terms or part[:1] != "t" else Text(part)


def market_left_out(content: RunContent) -> Table | None:
    """Rows of the source that the market doesn't hold, by reason."""
    dropped = content.environment["market"].get("dropped") or {}
    rows = [(*label_cells(words().sentence_or_term(reason)), Cell(count, "count")) for reason, count in dropped.items()]
    text = words().text
    return make("left_out_market", text["left_out_market"], ("what", "count"), rows, text["left_out_market_note"])


def training_left_out(content: RunContent) -> Table | None:
    """What the samples of each fold leave out, which its seeds share, and days without deep factors."""
    rows, seen = [], set()
    for arm in content.arms:
        for job in arm.training.get("jobs", ()):
            if (arm.name, job["fold"]) in seen:
                continue
            seen.add((arm.name, job["fold"]))
            for what, count in counts(job.get("left_out", {})):
                rows.append((*label_cells(arm.name, job["fold"], words().term(what)), Cell(count, "count")))
        for job in arm.training.get("jobs", ()):  # these are the network's own, so each seed's
            lacking = {"days_without_factors": job.get("days_without_factors", {})}
            which = joined(" ", [job.get("fold", ""), words().metrics["seed"].label, job.get("seed", "")])
            rows += [(*label_cells(arm.name, which, words().term(w)), Cell(n, "count")) for w, n in counts(lacking)]
    return make("left_out_training", words().text["left_out_training"], ("arm", "fold", "what", "count"), rows)


def counts(entries: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, int]]:
    """Counts of a nested mapping that are not zero, with their path joined by a middle dot."""
    for key, value in entries.items():
        path = f"{above} · {key}".removeprefix(" · ").replace("_", " ")
        if isinstance(value, Mapping):
            yield from counts(value, path)
        elif value:
            yield path, value


def training_jobs(content: RunContent) -> Table | None:
    """One row a job (arm, fold, seed)."""
    rows = []
    for arm in content.arms:
        for job in arm.training.get("jobs", ()):
            epochs = job.get("epochs", ())
            best = next((e for e in epochs if e["epoch"] == job.get("best_epoch")), None)
            rows.append(
                (
                    *label_cells(arm.name, job.get("fold", ""), job.get("seed", "")),
                    Cell(len(epochs), "count"),
                    value_cell(job, "best_epoch", "count"),
                    value_cell(best or job, "valid_rank_ic", "ic"),
                    value_cell(job, "seconds", "seconds"),
                )
            )
    columns = ("arm", "fold", "seed", "epochs", "best_epoch", "best_valid", "seconds")
    return make("training_jobs", words().text["jobs"], columns, rows)


def importance(content: RunContent) -> Table | None:
    """What weightings read, the largest share first."""
    rows = [
        (*label_cells(arm.name, feature), Cell(share, "percent"))
        for arm in content.arms
        for feature, share in sorted((arm.training.get("importance") or {}).items(), key=lambda item: -item[1])
    ]
    text = words().text
    return make("importance", text["importance"], ("arm", "feature", "importance"), rows, text["importance_note"])


def stages(content: RunContent) -> Table | None:
    """Wall and CPU time and memory by stage."""
    rows = [
        (
            *label_cells(words().term(row["stage"])),
            value_cell(row, "wall_s", "seconds"),
            value_cell(row, "cpu_s", "seconds"),
            value_cell(row, "peak_mib", "count"),
        )
        for row in content.environment.get("stages", ())
    ]
    return make("stages", words().text["stages"], ("stage", "wall_s", "cpu_s", "peak_mib"), rows)
