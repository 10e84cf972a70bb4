"""The smallest recipe that goes the whole way, for the small market."""

from __future__ import annotations

#: Train 2018, validate 2019, test 2020; five training days an epoch.
RECIPE = """
name = "small"
placebo = 2
title = "The main job in the smallest"

[plan]
first_test = 2020
train_years = 1
every = 20
valid_every = 10

[fit]
lr = 3e-3
epochs = 2
seeds = [0, 1]

[[arms]]
name = "gru_ic"
model = { kind = "gru", hidden = 8 }
published = "study_b/gru_ic"

[[arms]]
name = "decomp_gru_ic"
model = { kind = "decomp_gru", hidden = 8 }
loss = { kind = "ic" }

[[portfolios]]
index = "000905.SH"
constraints = "study_b"
arms = ["gru_ic"]
"""

#: Two arms of two epochs, short windows, one test: training takes a tenth of a CPU second.
TINY = """
name = "tiny"
title = "Killed and resumed"
features = { kind = "price_volume", window = 30 }
universe = { window = 30, min_observed = 20 }
plan = { first_test = 2020, last_test = 2020-02-28, train_years = 1, every = 80, valid_every = 80 }
fit = { epochs = 2, seeds = [0], weight_average = 0.1 }

[test]
universes = ["all"]
conventions = ["t1_close"]
horizons = [5]
groups = {}
other_groups = 0
tops = []

[[arms]]
name = "gru"
model = { kind = "gru", hidden = 32 }

[[arms]]
name = "decomp"
model = { kind = "decomp_gru", hidden = 8 }
"""

#: And an arm without a network, on features of its own.
WITH_BASELINE = (
    TINY
    + """
[[arms]]
name = "ridge"
features = { kind = "hand_features" }
weighting = { kind = "ridge" }
"""
)

#: A ridge regression tested on ten months of 2020 in seconds; `{name}` is the run's. What comes after is live.
RIDGE = """
name = "{name}"
title = "A ridge regression"
features = {{ kind = "hand_features" }}
universe = {{ window = 30, min_observed = 20 }}
plan = {{ first_test = 2020-01-01, last_test = 2020-10-30, train_years = 1, every = 5, valid_every = 5 }}
fit = {{ seeds = [0] }}
portfolios = []

[test]
universes = ["all"]
conventions = ["t1_close"]
horizons = [5]
groups = {{}}
other_groups = 0
tops = []

[[arms]]
name = "ridge"
weighting = {{ kind = "ridge" }}
"""
