"""Samples a CPU-second of qlib's GRU loop (``qlib.contrib.model.pytorch_gru_ts``). Runs in qlib's own environment.

``make peers`` makes that environment; `benchmarks.samples` runs this in it::

    .peers/qlib/bin/python benchmarks/peers/qlib_gru.py STOCKS DAYS LAYERS

One thread. Its `train_epoch` over its `TSDataSampler` and a torch `DataLoader` in this process (``n_jobs`` 0: more
processes would hide CPU time), as it comes but for `num_layers`; then the loader alone. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
import qlib
import torch
from qlib.contrib.model.pytorch_gru_ts import GRU
from qlib.data.dataset import TSDataSampler
from qlib.model.utils import ConcatDataset
from torch.utils.data import DataLoader

WINDOW, FEATURES = 150, 6


def main(stocks: int, days: int, layers: int) -> None:
    """Warm up with a batch, then time an epoch over `days` cross-sections of `stocks` stocks."""
    torch.set_num_threads(1)
    dates = pd.date_range("2020-01-01", periods=WINDOW - 1 + days)
    names = [f"SH{600000 + i}" for i in range(stocks)]
    index = pd.MultiIndex.from_product([dates, names], names=["datetime", "instrument"])
    values = np.random.default_rng(0).standard_normal((len(index), FEATURES + 1)).astype(np.float32)
    frame = pd.DataFrame(values, index, [*(f"f{k}" for k in range(FEATURES)), "label"])
    samples = TSDataSampler(frame, dates[WINDOW - 1], dates[-1], WINDOW, fillna_type="ffill+bfill")
    model = GRU(d_feat=FEATURES, num_layers=layers, GPU=-1, seed=0)
    dataset = ConcatDataset(samples, np.ones(len(samples)))

    def loader() -> DataLoader:
        return DataLoader(dataset, batch_size=model.batch_size, shuffle=True, num_workers=0, drop_last=True)

    model.train_epoch([next(iter(loader()))])
    count = len(samples) // model.batch_size * model.batch_size
    start = time.process_time()
    model.train_epoch(loader())
    trained = time.process_time()
    for _ in loader():
        pass
    loaded = time.process_time()
    found = {"samples": count, "train": trained - start, "load": loaded - trained, "version": qlib.__version__}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
