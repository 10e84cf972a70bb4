"""How the networks learned: a curve a job, the jobs, and what weightings read."""

from __future__ import annotations

from deepfactor.core.words import Text, joined
from deepfactor.report.content import ArmContent, RunContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Charts, Said, Section, Tables
from deepfactor.report.press.drawing import Figure, colour, figure, layout, line
from deepfactor.report.press.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.training.records import TrainedJob

ORDER = 110

INTRO = Text(
    "One line a job (fold and seed). Early stopping looks at the validation RankIC, never at the loss.",
    "每条线为一个训练任务（滚动期与种子）。早停只看验证集秩相关IC，不看损失。",
)
IMPORTANCE_NOTE = Text(
    "Mean over the jobs of each column's share in the score: gain of the splits of trees, "
    "absolute weights of a linear one. Deep factors stand together: one of one job is not the "
    "same of another; training.json has them one by one, with their signs.",
    "各特征在得分中所占份额（各任务的均值）：树模型为分裂增益，线性模型为权重绝对值。"
    "深度因子合并列示：各任务的同号因子并非同一因子；逐个份额及其方向见training.json。",
)


def section(content: RunContent, make: Maker) -> Section | None:
    """Curves, then the tables."""
    tables = make.all((training_jobs, content), (importance, content))
    drawn, title = make.many(training_curves, content), Text("Training", "训练")
    return Section(title, (Said(INTRO), Charts(drawn), Tables(tables)), link=title) if drawn or tables else None


def training_curves(content: RunContent) -> list[Figure]:
    """Validation RankIC and training loss by epoch: a line a job, a colour an arm."""
    curves = (
        _training(
            content,
            "valid_rank_ic",
            Text("Validation RankIC by epoch", "验证集秩相关IC（按轮次）"),
            "RankIC",
            best=True,
        ),
        _training(
            content, "loss", Text("Training loss by epoch", "训练损失（按轮次）"), Text("loss", "损失"), best=False
        ),
    )
    return [one for one in curves if one is not None]


def _training(content: RunContent, key: str, title: Text, unit: str, *, best: bool) -> Figure | None:
    traces = []
    for k, arm in enumerate(content.arms):
        for j, job in enumerate(job for job in arm.training.get("jobs", ()) if job.get("epochs")):
            epochs = [e["epoch"] for e in job.get("epochs", ())]
            trace = line(arm.name, epochs, [e.get(key) for e in job.get("epochs", ())], colour(k), width=1.4)
            trace |= {"legendgroup": arm.name, "showlegend": j == 0, "opacity": 0.8, "hovertemplate": _hover(arm, job)}
            if best:
                sizes = [8 if e == job.get("best_epoch") else 0 for e in epochs]
                trace |= {"mode": "lines+markers", "marker": {"size": sizes, "color": colour(k)}}
            traces.append(trace)
    look = layout(x="plain", y_title=unit, y_format=".3f", x_title=Text("epoch", "轮次"))
    look["hovermode"] = "closest"
    return figure(f"training_{key}", title, traces, look)


def _hover(arm: ArmContent, job: TrainedJob) -> Text:
    named = Text("{arm}, fold {fold}, seed {seed}", "{arm}，滚动期{fold}，种子{seed}").filled(
        arm=arm.name, fold=job.get("fold"), seed=job.get("seed")
    )
    return joined("", [named, ": %{y}<extra></extra>"])


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
    return make("training_jobs", Text("Jobs", "训练任务"), columns, rows)


def importance(content: RunContent) -> Table | None:
    """What weightings read, the largest share first."""
    rows = [
        (*label_cells(arm.name, feature), Cell(share, "percent"))
        for arm in content.arms
        for feature, share in sorted((arm.training.get("importance") or {}).items(), key=lambda item: -(item[1] or 0.0))
    ]
    return make(
        "importance",
        Text("What weightings read", "加权模型的特征重要性"),
        ("arm", "feature", "importance"),
        rows,
        IMPORTANCE_NOTE,
    )
