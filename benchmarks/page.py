"""The results as ``RESULTS.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.timing import Line

_INTRO = """# Speed

Written by `make bench` (`python -m benchmarks`); do not edit. CPU seconds of one thread; every round runs each way
once, in turn. *ours* and *other* are medians; **other ÷ ours** is the median of the rounds' ratios (least to largest):
above 1 ours is faster. Absolute times are those of one machine on one day and say little; ratios of interleaved runs
hold up better. Where several ways do the same work their results are compared before they are timed.
"""

_NOTES = """## What is not here

* Peers that need heavy environments of their own: qlib (training samples a second, backtest), cvxpy (the LP), alphalens
  (the factor test). Later.
* Real data: throughput is that of simulated markets, whose tables hold a row a stock and day, and index weights.
* Two processes on two cores, accelerators, peak memory.

## How to read it

* *nn.GRU batch-first* and *time-major*: the same network with the same weights in plain PyTorch.
  *Its matrix products at the rate of sgemm*: the floating-point operations of the step's matrix products alone at
  the rate of a 1024 × 1024 float32 product measured in the same rounds; the ratio is the share of it that we reach.
* *Bare step*: forward, loss, backward, clipping and Adam on a batch that is there already; the trainer's step adds
  gathering, scaling, labels, the weight average and progress. In the first epoch it also computes each day's
  statistics.
* *Plain numpy*: forward returns, ranks by two argsorts, IC, RankIC, decile means and turnover in a loop over days. Ours
  also gives averages for ties, Newey–West statistics by year and curves of weekly decile portfolios.
* All ways run in one process with one thread and with the allocator told to keep big blocks (as the trainer's workers
  have it), which helps plain PyTorch too.
* Graph attention: *plain gather* is the same layer with each neighbour's values in one tensor; torch_geometric's
  GATConv has its edges ready, and is left out where it isn't installed.
* LP: highspy and linprog get the assembled program; ours also assembles it, checks the answer from the weights and the
  duals, and reads prices and relaxations.
"""


def page(
    sections: Mapping[str, Sequence[Line]], facts: Mapping[str, Any], intro: str = _INTRO, notes: str = _NOTES
) -> str:
    """Markdown of all sections."""
    machine, versions = facts["machine"], facts["versions"]
    head = [
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
        f"load average {facts['load'][0]:.1f} at the start, {facts['load'][1]:.1f} at the end (above 0 at the start = "
        "others were at work on it).",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        f"The whole took {facts['cpu']:.0f} CPU-seconds.",
    ]
    body = [f"## {title}\n\n{_table(lines)}" for title, lines in sections.items()]
    return "\n\n".join([intro.rstrip(), *head, *body, notes.rstrip()]) + "\n"


def _table(lines: Sequence[Line]) -> str:
    rows = [
        "| job | size | ours | other | other's | other ÷ ours | wanted |",
        "| --- | --- | ---: | --- | ---: | --- | --- |",
    ]
    for line in lines:
        ratio = "" if line.ratio is None else f"**{line.ratio:.2f}** ({line.low:.2f} to {line.high:.2f})"
        cells = [line.job, line.size, _time(line.ours), line.other, _time(line.seconds), ratio, line.target]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"
