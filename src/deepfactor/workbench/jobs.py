"""Pages of jobs: what is trained now, loss curves, and the calls that the workbench started."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfactor.core.errors import Interrupted
from deepfactor.core.words import Text
from deepfactor.report.press.blocks import Block, Charts, Drawn, Facts, Said, Section, Tables
from deepfactor.report.press.drawing import colour, figure, layout, line
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make
from deepfactor.workbench.pages import Page, Press, address, only
from deepfactor.workbench.shelf import NotHere, Shelf
from deepfactor.workbench.starting import Call, Calls, recipes

#: Lines of a log that a page shows, and bytes that are read for them.
LOG_LINES, LOG_BYTES = 60, 32_768
#: Jobs that the list shows, the latest first; curves of so many stand in one figure.
MOST, CURVES = 200, 12
#: Seconds after which a page of work in progress looks again.
AGAIN = 10

_STATES = {
    "running": Text("in progress", "进行中"),
    "done": Text("done", "已完成"),
    "stopped": Text("not finished", "未完成"),
}


@dataclass(frozen=True)
class Job:
    """A folder below ``jobs``: `identity` is its ``job.json``, `log` its epochs."""

    key: str
    state: str
    identity: dict[str, Any]
    log: tuple[dict[str, Any], ...]
    changed: float

    @property
    def arm(self) -> str:
        """What is trained, in a few words."""
        arm = self.identity.get("arm", {})
        parts = (arm.get(part) for part in ("model", "weighting", "loss") if isinstance(arm, dict))
        return " · ".join(str(one["kind"]) for one in parts if isinstance(one, dict) and "kind" in one) or "–"

    @property
    def tested(self) -> str:
        """The fold, by the last year that it learns from."""
        fold = self.identity.get("fold", {})
        spans = [fold.get(name) for name in ("train", "valid")] if isinstance(fold, dict) else []
        return " · ".join(f"{one[0]} – {one[-1]}" for one in spans if isinstance(one, list) and one) or "–"


def read_jobs(shelf: Shelf) -> list[Job]:
    """All jobs of the folder, the latest first."""
    folder, locked = shelf.runs / "jobs", _locked()
    paths = (
        [path for path in folder.iterdir() if _is_job(shelf, path)] if folder.is_dir() and shelf.holds(folder) else []
    )
    return sorted((_job(path, locked) for path in paths), key=lambda job: (job.state != "running", -job.changed))


def _is_job(shelf: Shelf, path: Path) -> bool:
    return (path / "job.json").is_file() and all(shelf.holds(path / name) for name in ("job.json", "log.jsonl"))


def _job(path: Path, locked: frozenset[int]) -> Job:
    log = path / "log.jsonl"
    lock = path / ".lock"
    running = lock.exists() and lock.stat().st_ino in locked
    state = "running" if running else "done" if (path / "done").exists() else "stopped"
    identity = _json(path / "job.json")
    changed = (log if log.exists() else path / "job.json").stat().st_mtime
    return Job(path.name, state, identity if isinstance(identity, dict) else {}, _epochs(log), changed)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _epochs(path: Path) -> tuple[dict[str, Any], ...]:
    """Whole lines of a log; the last may be half written."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for text in lines:
        try:
            row = json.loads(text)
        except ValueError:
            continue
        if isinstance(row, dict) and "epoch" in row:
            found.append(row)
    return tuple(found)


def _locked() -> frozenset[int]:
    """Inodes that some process holds a lock on, as Linux lists them: to try the lock would be in the writer's way."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return frozenset()
    places = (part for line in lines for part in line.split() if part.count(":") == 2)
    return frozenset(int(place.rsplit(":", 1)[1]) for place in places if place.rsplit(":", 1)[1].isdigit())


def jobs_page(shelf: Shelf, press: Press, calls: Calls, problem: str = "") -> Page:
    """Calls, jobs in progress with their curves, all jobs."""
    jobs, called = read_jobs(shelf), calls.all()
    sections: list[Section] = [only(Said(problem, "problem"))] if problem else []
    sections.append(_calls(shelf, press, called))
    running = [job for job in jobs if job.state == "running"]
    if drawn := _curves(running or jobs[:CURVES]):
        title = Text("In progress", "进行中") if running else Text("The latest", "最近的任务")
        sections.append(only(Charts(drawn), title=title))
    table = _table(jobs)
    none = Said(Text("No job of this folder has been trained yet.", "本文件夹内尚无训练任务。"))
    sections.append(only(Tables((table,), 2) if table is not None else none))
    return Page(Text("Jobs", "任务"), sections, status=422 if problem else 200)


def job_page(shelf: Shelf, key: str) -> Page:
    """One job: its curves and what its key is made of."""
    job = next((one for one in read_jobs(shelf) if one.key == key), None)
    if job is None:
        raise NotHere(f"no job {key!r} in this folder")
    facts = (
        (Text("State", "状态"), _STATES[job.state]),
        (Text("Arm", "模型"), job.arm),
        (Text("Learns and validates on", "训练与验证区间"), job.tested),
        (Text("Seed", "种子"), str(job.identity.get("seed", "–"))),
        (Text("Epochs", "轮次"), number(len(job.log), "count")),
    )
    rows = [
        (
            Cell(e["epoch"], "count"),
            Cell(e.get("loss"), "loss"),
            Cell(e.get("valid_rank_ic"), "ic"),
            Cell(e.get("seconds"), "seconds"),
        )
        for e in job.log
    ]
    columns = [
        head("epoch", Text("Epoch", "轮次")),
        head("loss", Text("Loss", "损失")),
        head("valid", Text("Validation RankIC", "验证集秩相关IC")),
        head("seconds", Text("Seconds", "秒")),
    ]
    table = make("epochs", Text("Epochs", "轮次"), columns, rows)
    blocks: list[Block] = [Facts(facts), Charts(_curves([job]))]
    if table is not None:
        blocks.append(Tables((table,), 2))
    text = json.dumps(job.identity, indent=1, ensure_ascii=False)
    made_of = only(Drawn(press_log(text)), title=Text("What its key is made of", "任务键的内容"))
    return Page(
        job.key,
        [only(*blocks), made_of],
        [(Text("Jobs", "任务"), "/jobs")],
        refresh=AGAIN if job.state == "running" else None,
    )


def call_page(shelf: Shelf, press: Press, calls: Calls, number_: str) -> Page:
    """A call that was started here: its command, how it stands, the end of its log."""
    call = calls.one(number_)
    facts = (
        (Text("State", "状态"), state_of(call)),
        (Text("Started", "开始"), call.started),
        (Text("Command", "命令"), " ".join(call.command)),
    )
    stop = [Drawn(press.form("stop.html.j2", call=call))] if call.running else []
    log = Drawn(press_log(tail(calls.log(call))))
    sections = [only(Facts(facts), *stop), only(log, title=Text("The end of its log", "日志末尾"))]
    return Page(call.recipe, sections, [(Text("Jobs", "任务"), "/jobs")], refresh=AGAIN if call.running else None)


def press_log(text: str) -> Any:
    """Lines as they are."""
    return Press("", False).form("log.html.j2", text=text)


def tail(path: Path) -> str:
    """The last lines of a log."""
    try:
        with path.open("rb") as handle:
            handle.seek(max(os.fstat(handle.fileno()).st_size - LOG_BYTES, 0))
            text = handle.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-LOG_LINES:])


def state_of(call: Call) -> Text:
    """How a call stands, in words."""
    if call.running:
        return Text("running, process {pid}", "运行中，进程{pid}").filled(pid=call.pid)
    if call.code == 0:
        return Text("done", "已完成")
    if call.stopped or call.code == Interrupted.exit_code:
        return Text("stopped; the same start goes on", "已停止；再次启动将继续")
    if call.code is None:
        return Text("ended; how, its log says", "已结束，结果见日志")
    return Text("ended with {code}: its log says why", "以退出码{code}结束，原因见日志").filled(code=call.code)


def _calls(shelf: Shelf, press: Press, called: list[Call]) -> Section:
    blocks: list[Block] = []
    if press.write:
        shipped, own = recipes(shelf.runs)
        blocks.append(Drawn(press.form("start.html.j2", shipped=shipped, own=own, cores=os.cpu_count() or 1)))
    else:
        blocks.append(
            Said(
                Text(
                    "Read only: deepfactor serve --write lets runs be started here.",
                    "只读模式；deepfactor serve --write 可在此启动运行。",
                ),
                "note",
            )
        )
    rows = [
        (Cell(call.recipe, link=address("jobs", "call", call.number)), *label_cells(state_of(call), call.started))
        for call in called
    ]
    columns = [
        head("recipe", Text("Recipe", "配置")),
        head("state", Text("State", "状态")),
        head("started", Text("Started", "开始")),
    ]
    table = make("calls", Text("Started here", "由工作台启动"), columns, rows)
    if table is not None:
        blocks.append(Tables((table,), 3))
    return only(*blocks, title=Text("Start a run", "启动运行") if press.write else "")


def _table(jobs: list[Job]) -> Table | None:
    now = time.time()
    rows = [
        (
            Cell(job.key, link=address("jobs", job.key)),
            *label_cells(_STATES[job.state], job.arm, job.tested, job.identity.get("seed", "–")),
            Cell(len(job.log), "count"),
            Cell(job.log[-1].get("loss") if job.log else None, "loss"),
            Cell(max((e.get("valid_rank_ic") or -1.0 for e in job.log), default=None), "ic"),
            Cell((now - job.changed) / 60, "count"),
        )
        for job in jobs[:MOST]
    ]
    said = (
        ("job", Text("Job", "任务")),
        ("state", Text("State", "状态")),
        ("arm", Text("Arm", "模型")),
        ("fold", Text("Learns · validates", "训练 · 验证区间")),
        ("seed", Text("Seed", "种子")),
        ("epochs", Text("Epochs", "轮次")),
        ("loss", Text("Last loss", "最新损失")),
        ("best", Text("Best RankIC", "最佳秩相关IC")),
        ("ago", Text("Minutes ago", "分钟前")),
    )
    note = (
        Text("The latest {most} of {n}.", "共{n}个，列出最近{most}个。").filled(most=MOST, n=len(jobs))
        if len(jobs) > MOST
        else ""
    )
    return make("jobs", Text("All jobs", "全部任务"), [head(*one) for one in said], rows, note)


def _curves(jobs: list[Job]) -> tuple[Any, ...]:
    """Loss and validation RankIC by epoch, a line a job."""
    made = []
    titles = (
        ("loss", Text("Training loss by epoch", "训练损失（按轮次）")),
        ("valid_rank_ic", Text("Validation RankIC by epoch", "验证集秩相关IC（按轮次）")),
    )
    for key, title in titles:
        traces = [
            line(f"{job.key[:6]} {job.arm}", [e["epoch"] for e in job.log], [e.get(key) for e in job.log], colour(k))
            for k, job in enumerate(one for one in jobs[:CURVES] if one.log)
        ]
        look = layout(x="plain", y_title="", y_format=".3f", x_title=Text("epoch", "轮次"))
        made.append(figure(f"jobs_{key}", title, traces, look))
    return tuple(one for one in made if one is not None)
