"""Arithmetic over the stocks of one day, each once: pure functions on arrays, which every room above may take.

Where two variants differ they stand beside each other, named for what sets them apart. "Rows" in a name: (T, N) arrays,
row by row; without it: one day's finite values (m,).

* `clipping`: at the median ± so many robust deviations;
* `zscores`, `plain_size`: standardised, also where squares would overflow;
* `sorting`, `ranks`, `correlation`: orders, average ranks, Pearson and Spearman;
* `regression`: residuals on groups, size and factors.
"""
