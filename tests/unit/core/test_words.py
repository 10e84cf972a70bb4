"""Texts in both languages."""

from __future__ import annotations

import copy
import pickle

from deepfactor.core.words import Sentence, Text


def test_a_copy_carries_its_chinese() -> None:
    for made in (Text("one", "一"), Sentence("{n} days", "{n}天")):
        for copied in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert (copied, copied.zh, type(copied)) == (made, made.zh, type(made))
