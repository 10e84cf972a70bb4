"""``python -m benchmarks.training``: what training costs, against stock PyTorch, the machine's peak, qlib and its own
parts; writes ``benchmarks/RESULTS-training-KERNEL.md``. Sections can be named as arguments; then that is only printed.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.process import settle

_INTRO = """# Speed of training

Written by `make bench-training` (`python -m benchmarks.training`); do not edit. CPU seconds of one thread but where
wall time is said; every round runs each way once, in turn. *ours* and *other* are medians; **other ÷ ours** is the
median of the rounds' ratios (least to largest): above 1 ours is faster. Ratios of interleaved runs hold up on a busy
machine; absolute times don't, and wall times of two processes need idle cores: see the load.
"""

_NOTES = """## How to read it

* *Networks*: forward, loss and backward of one day's cross-section; every way's scores are compared before it is timed.
  *GRU kernel*: the compiled recurrence alone; its ratio is the share of the core's peak of fused multiply-adds.
* *nn.GRU batch-first* and *time-major*: the same network with the same weights in plain PyTorch, in a process whose
  allocator keeps big blocks, as the trainer's workers have it. *Its matrix products at the rate of sgemm*: the step's
  matrix products alone at the rate of a 1024 × 1024 float32 product measured in the same rounds. *Were ours at the FMA
  peak*: what the ratio would be if the products that can't be done without took all of a step, at the peak of the core.
* *Graph attention*: *plain gather* is the same layer with each neighbour's values in one tensor; torch_geometric's
  GATConv has its edges ready, and is left out where it isn't installed.
* *Trainer's step*: gathering, scaling, labels, forward, backward, clipping, Adam, weight average, progress;
  *bare step*: forward, backward, clipping and Adam on a batch that is there.
* *Consecutive days*: scoring under `by_day`, where a day has one new patch a stock and the others are kept.
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
    from benchmarks import consecutive, footprint, gat, growth, kernels, networks, samples, trainer, workers
    from benchmarks.sections import write_sections
    from deepfactor.models._kernels import choice, kernel_in_use

    ways = {
        "Networks": networks.measure,
        "GRU kernel": kernels.measure,
        "Graph attention": gat.measure,
        "Trainer": trainer.measure,
        "Consecutive days": consecutive.measure,
        "Growth": growth.measure,
        "Samples": samples.measure,
        "Two workers": workers.measure,
        "Footprint": footprint.measure,
    }
    kernel = choice().kernel
    # A page an instruction set: they stand on different processors, and say so.
    results = Path(__file__).with_name(f"RESULTS-training-{kernel.path if kernel else 'torch'}.md")
    write_sections(results, ways, f"{_INTRO}\nGRUs by: {kernel_in_use()}.\n", _NOTES)


if __name__ == "__main__":
    settle("benchmarks.training")
    main()
