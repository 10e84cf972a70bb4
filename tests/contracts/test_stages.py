"""What every stage behind training keeps to. A new file in `deepfactor.pipeline.stages` is found unasked."""

from __future__ import annotations

import inspect
from itertools import groupby
from pathlib import Path

import pytest

from deepfactor.pipeline import stages as room
from deepfactor.pipeline.stages.base import Stage, Work, stages
from deepfactor.pipeline.staging import PAGE, TRAINING, groups
from deepfactor.report.page import STAGES

ALL = stages()
FILES = sorted(path.stem for path in Path(room.__path__[0]).glob("*.py") if path.stem not in ("__init__", "base"))


def test_every_file_is_a_stage():
    assert sorted(stage.NAME for stage in ALL) == [name for name in FILES if not name.startswith("_")]


@pytest.mark.parametrize("stage", ALL, ids=lambda stage: stage.NAME)
def test_a_stage_says_what_it_is(stage: Stage):
    assert stage.MANY
    assert stage.GROUP not in (TRAINING, PAGE)
    assert isinstance(stage.NUMERICS, int)
    assert stage.NUMERICS >= 1
    assert set(stage.READS) <= {other.NAME for other in ALL} - {stage.NAME}
    assert list(inspect.signature(stage.units).parameters) == ["work"]
    assert inspect.get_annotations(stage.units, eval_str=True)["work"] is Work


def test_the_page_names_what_ships_in_both_languages():
    assert {stage.NAME for stage in ALL} <= set(STAGES)


def test_stages_stand_behind_what_they_read_and_groups_together():
    names = [stage.NAME for stage in ALL]
    for stage in ALL:
        assert all(names.index(read) < names.index(stage.NAME) for read in stage.READS), stage.NAME
    together = [group for group, _ in groupby(ALL, key=lambda stage: stage.GROUP)]
    assert len(set(together)) == len(together)
    assert groups() == (TRAINING, *together, PAGE)
