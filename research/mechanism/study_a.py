"""``python -m research.mechanism.study_a``: what do the graph and the company reports find, and where nothing is?

Trains Study A's networks on simulated markets whose only alpha is the spillover between true neighbours (which no table
holds), on markets with the drift after earnings surprises alone, and on null markets. Prints the tables, writes
``study_a.json`` and ``study_a.md`` into ``--out`` and the section *Numbers* of ``--page``, ends with 1 where a bound is
broken. A repeated call trains nothing again.
"""

from __future__ import annotations

import sys

import numpy as np

from deepfactor.sources.simulated import Settings, Strength
from research.learning.bounds import Bound
from research.mechanism.neighbours import graph_recall, neighbour_scores
from research.mechanism.study import Content, Part, Study, facts, gains, levels, main, paired_t, rows_of

#: Least t of the paired daily difference in RankIC on the spillover markets, of every market and seed.
LEAST_T = 2.0
#: Least share of the true neighbours that the default graph holds.
RECALL = 0.4
#: Largest mean |RankIC| of a price-volume network on drift alone, and of any network on a null market.
UNSEEN, NOTHING = 0.02, 0.03


def bounds(content: Content) -> list[Bound]:
    """What Study A's mechanisms must show."""
    graph, news, nothing = (rows_of(content, part) for part in ("spillover", "drift", "null"))
    found = [Bound("spillover: true neighbours in the graph, least", min(facts(graph, "recall")), RECALL, True)]
    for other in ("bi_agru", "random_twin"):
        t = paired_t(graph, "bi_agru_gat", other, "rank_ic")
        found.append(Bound(f"spillover: RankIC, bi_agru_gat − {other}, least t", float(t.min()), LEAST_T, True))
    for arm in DRIFT_ARMS:
        seen = gains(news, arm, "bi_agru", "oracle")
        told = levels(news, arm, "rank_ic")
        found += [
            Bound(f"drift: correlation with the oracle, {arm} − bi_agru, least", float(seen.min()), 0.0, True),
            Bound(f"drift: RankIC of {arm}, least", float(told.min()), 0.0, True),
        ]
    unseen = abs(float(levels(news, "bi_agru", "rank_ic").mean()))
    found.append(Bound("drift: RankIC of bi_agru, mean, size", unseen, UNSEEN, False))
    for arm in NULL_ARMS:
        size = abs(float(np.mean(levels(nothing, arm, "rank_ic"))))
        found.append(Bound(f"null: RankIC of {arm}, mean, size", size, NOTHING, False))
    return found


#: Arms that read what the drift is made of.
DRIFT_ARMS = ("fundamental_gru", "second_weighting")
NULL_ARMS = ("bi_agru", "bi_agru_gat", *DRIFT_ARMS)
STUDY = Study(
    "study_a",
    (
        Part(
            "spillover",
            "Spillover alone",
            lambda seed: Settings(seed=seed, only=("spillover",), strength=Strength(spillover=0.010)),
            ("bi_agru", "bi_agru_gat", "random_twin"),
            (("bi_agru_gat", "bi_agru"), ("bi_agru_gat", "random_twin"), ("random_twin", "bi_agru")),
            beside=lambda trained: {"oracle": trained.truth.oracle, **neighbour_scores(trained)},
            facts=lambda trained: {"recall": graph_recall(trained)},
        ),
        Part(
            "drift",
            "Drift after surprises alone",
            lambda seed: Settings(seed=seed, only=("drift",)),
            ("bi_agru", *DRIFT_ARMS),
            tuple((arm, "bi_agru") for arm in DRIFT_ARMS),
        ),
        Part("null", "Null market", lambda seed: Settings(seed=seed, alpha=0.0), NULL_ARMS, measures=("rank_ic",)),
    ),
    bounds,
)

if __name__ == "__main__":
    sys.exit(main(STUDY, __doc__))
