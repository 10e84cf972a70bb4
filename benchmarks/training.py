"""``python -m benchmarks.training``: what training costs, against stock PyTorch, the machine's peak, qlib and its own
parts; writes ``benchmarks/RESULTS-training.md``. Sections can be named as arguments; then the page is printed only.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from benchmarks.process import settle

_RESULTS = Path(__file__).with_name("RESULTS-training.md")

_INTRO = """# Speed of training

Written by `make bench-training` (`python -m benchmarks.training`); do not edit. CPU seconds of one thread but where
wall time is said; every round runs each way once, in turn. *ours* and *other* are medians; **other ÷ ours** is the
median of the rounds' ratios (least to largest): above 1 ours is faster. Ratios of interleaved runs hold up on a busy
machine; absolute times don't, and wall times of two processes need idle cores: see the load.
"""

_NOTES = """## How to read it

* *Networks*: forward, loss and backward of one day's cross-section; every way's scores are compared before it is timed.
  *GRU kernel*: the compiled recurrence alone; its ratio is the share of the core's peak of fused multiply-adds.
* *Trainer's step*: gathering, scaling, labels, forward, backward, clipping, Adam, weight average, progress;
  *bare step*: forward, backward, clipping and Adam on a batch that is there.
* *Growth*: exponents of cost between two sizes; 1 is linear.
* *Samples*: qlib 0.9.7's `pytorch_gru_ts` on its `TSDataSampler`, in its own environment (`make peers`), hidden 64,
  batches of 2000. As it comes it has two layers over 150 steps, ours one over 50 patches of three days: the second pair
  has the same recurrence on both sides. Scaling and rank labels are in ours; qlib does them before.
* *Two workers*: speed of two processes at once over the same work one after the other, in wall time, with arithmetic on
  registers beside it, which two idle cores do at 2.0: on a shared machine that line says what could be had.
* *Footprint*: a process as the engine starts it, on memory-mapped arrays, all rows of which it reads. Peak memory is
  what it holds over its imports, mapped pages included, less one batch, over the arrays' own size.
"""


def main() -> None:
    """Measure section by section and write the page."""
    from benchmarks import footprint, growth, kernels, networks, samples, trainer, workers
    from benchmarks.page import page
    from benchmarks.timing import Line
    from deepfactor.core.files import write_text
    from deepfactor.models._kernels import kernel_in_use
    from deepfactor.runs.environment import machine, versions

    before = os.getloadavg()[0]
    ways = {
        "Networks": networks.measure,
        "GRU kernel": kernels.measure,
        "Trainer": trainer.measure,
        "Growth": growth.measure,
        "Samples": samples.measure,
        "Two workers": workers.measure,
        "Footprint": footprint.measure,
    }
    wanted = sys.argv[1:] or list(ways)
    sections: dict[str, list[Line]] = {}
    text = ""
    for title in wanted:
        sections[title] = ways[title]()
        print(f"{title}: done after {time.process_time():.0f} CPU-s in all", file=sys.stderr, flush=True)
        load = (before, os.getloadavg()[0])
        facts = {"machine": machine(), "versions": versions(), "load": load, "cpu": time.process_time()}
        missing = [f"\nNot measured: {', '.join(rest)}.\n"] if (rest := [t for t in ways if t not in sections]) else []
        text = page(sections, facts, "".join([_INTRO, f"\nGRUs by: {kernel_in_use()}.\n", *missing]), _NOTES)
        if wanted == list(ways):  # after each section: a measurement that is stopped leaves what it has
            write_text(_RESULTS, text)
    print(_RESULTS if wanted == list(ways) else text)


if __name__ == "__main__":
    settle("benchmarks.training")
    main()
