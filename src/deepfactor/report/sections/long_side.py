"""The long side: the top group as a buyer holds it, before and after cost, and how long its picks go on earning."""

from __future__ import annotations

from deepfactor.core.words import Text
from deepfactor.report.content import RunContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import LONG, Section, Tables
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words

ORDER = 75

HELD_NOTE = Text(
    "Excess over the universe's equal weight, % a year (ratio of NAVs, 252 days). Held: each week's trade goes a "
    "part of the way to the new top group, at most {bound} one-sided; refreshed: all the way. Cost {cost} a side.",
    "相对股票池等权的超额，年化（净值之比，252日）。持有：每周向新的多头组靠近一部分，单边换手至多{bound}；全换：每周全部换入。"
    "成本单边{cost}。",
)
DECAY_NOTE = Text(
    "Mean excess of a signal's picks over the universe's mean in the k-th week after the trade, not traded again; "
    "% a year, t in brackets.",
    "信号所选股票在交易后第k周相对股票池均值的平均超额（其后不再调整），按年计，括号内为t值。",
)


def section(content: RunContent, make: Maker) -> Section | None:
    """Tables alone."""
    title = Text("Long side", "多头端")
    tables = make.all((held, content), (decay, content))
    return Section(title, (Tables(tables, folds=LONG),), link=title) if tables else None


def held(content: RunContent) -> Table | None:
    """An arm and universe a row: held under the bound, and refreshed in full."""
    rows, notes = [], list[Text]()
    for arm in content.arms:
        for one in arm.factor_report.get("long_side", ()):
            labels = label_cells(arm.name, words().universe(one["universe"]))
            own, full = one["held"], one["refreshed"]
            cells = (
                Cell(1 / one["part"], "share"),
                value_cell(own, "gross", "signed_percent"),
                value_cell(own, "net", "signed_percent"),
                value_cell(own, "t_newey_west", "ratio"),
                value_cell(own, "turnover_one_sided", "share"),
                value_cell(full, "gross", "signed_percent"),
                value_cell(full, "net", "signed_percent"),
                value_cell(full, "turnover_one_sided", "share"),
            )
            rows.append((*labels, *cells))
            bound, cost = number(one["bound"], "share"), number(one["cost_rate"], "percent")
            notes.append(HELD_NOTE.filled(bound=bound, cost=cost))
    columns = ("arm", "universe", "top_share", "held_gross", "held_net", "held_t", "held_turnover",
               "refreshed_gross", "refreshed_net", "refreshed_turnover")  # fmt: skip
    note = notes[0] if notes else ""
    return make("long_side", Text("The top group as it is held", "多头组的持有方式"), columns, rows, note)


def decay(content: RunContent) -> Table | None:
    """An arm and universe a row, a week a column."""
    given = [(arm.name, one) for arm in content.arms for one in arm.factor_report.get("long_side", ())]
    weeks = sorted({week["week"] for _, one in given for week in one["decay"]})
    rows = []
    for name, one in given:
        by_week = {week["week"]: week for week in one["decay"]}
        cells = []
        for k in weeks:
            week = by_week.get(k)
            excess, t = (None, None) if week is None else (week["excess"], week["t_newey_west"])
            cells.append(f"{number(excess, 'signed_percent')} ({number(t, 'signed')})")
        rows.append(label_cells(name, words().universe(one["universe"]), *cells))
    heads = [head(f"week_{k}", Text("Week {n}", "第{n}周").filled(n=k)) for k in weeks]
    columns: list[str | Metric] = ["arm", "universe", *heads]
    return make("long_decay", Text("Week by week after the trade", "交易后逐周"), columns, rows, DECAY_NOTE)
