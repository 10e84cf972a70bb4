"""What a factor is tested for, and the two studies' choices."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from deepfactor.core.choices import choices
from deepfactor.core.days import Day
from deepfactor.core.spec import ONCE, Spec
from deepfactor.evaluation.definitions import Study
from deepfactor.evaluation.tops import TopName
from deepfactor.market.indices import canonical
from deepfactor.panel.returns import CONVENTIONS, MOST_DAYS, Convention

Sampling = Literal["daily", "every_h"]
SAMPLINGS: tuple[Sampling, ...] = ("daily", "every_h")
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Groups = Annotated[int, Field(ge=0, le=1000)]

#: Universes that are no index.
WHOLE = ("all", "every")

#: CSI All Share.
ALL_SHARE = "000985.SH"

#: Groups a universe where nothing else is said.
GROUPS: Mapping[str, int] = MappingProxyType({"all": 20, "every": 20, "000300.SH": 5})

#: Most horizons whose mean coefficients show the decay: each takes a pass over the days.
MOST_DECAY = 250

#: What the studies' tables show, nothing else. Study A: the whole market every h days, top portfolios under both of its
#: conventions. Study B: four universes daily, weekly groups.
STUDIES: Mapping[Study, Mapping[str, Any]] = MappingProxyType(
    {
        "study_a": {
            "universes": ("all",),
            "conventions": ("t0_close", "t1_vwap"),
            "horizons": (5, 10, 15, 20),
            "samplings": ("every_h",),
            "groups": {},
            "other_groups": 0,
            "tops": ("top10pct", "top100"),
            "top_every": (5, 10, 15, 20),
            "top_conventions": ("t0_close", "t1_vwap"),
            "cost_rate": 0.0015,
            "top_definitions": "study_a",
            "long_weeks": 0,
        },
        "study_b": {
            "universes": ("all", "000300.SH", "000905.SH", "000852.SH"),
            "conventions": ("t1_close",),
            "horizons": (10, 20),
            "samplings": ("daily",),
            "groups": {"all": 20, "000300.SH": 5, "000905.SH": 10, "000852.SH": 10},
            "group_definitions": "study_b",
            "tops": (),
            "top_every": (5,),
            "long_weeks": 0,
        },
    }
)


class TestSettings(Spec):
    """What a factor is tested for.

    Attributes
    ----------
    preset : a study whose choices stand where nothing else is said; none = the defaults below
    universes : `all` (the day's eligible stocks), `every` (whoever has a score), or index codes (members of the day
        that are eligible). The first is that of the top portfolios and of the character.
    conventions : entry and exit of the returns that information coefficients are of
    horizons : trading days of these returns
    samplings : every day, or every h days
    min_names : a day with fewer pairs of score and return has no coefficient
    decay : mean coefficients at horizons 1 … decay; 0 = none
    groups : number of groups a universe; 0 = none
    other_groups : the same for universes that aren't in `groups`
    all_share_index : benchmark of the groups of `all` and `every`; an index's groups are compared with that index
    tops : top portfolios: the best tenth, the best hundred
    top_every : trading days between their rebalances
    top_conventions : prices at which they trade
    top_offsets : also start the top portfolios on each of the first `every` days, and show mean, least and most
    cost_rate : a side, as a fraction of what is traded
    long_weeks : weeks after a week's trade over which the top group's excess is shown; 0 = no long side at all
    long_turnover : one-sided turnover a week under which the top group is held, beside refreshed in full
    delist_haircut : lost of the last price when a held stock is delisted (Shumway 1997)
    group_definitions, top_definitions : by which study's definitions returns are annualised and excess is formed
    start : first day of the span, inclusive; none = the first scored day
    end : last day of the span, inclusive; none = the last scored day
    """

    __test__: ClassVar[bool] = False  # no test class, whatever pytest makes of the name

    preset: Study | None = None
    universes: Annotated[tuple[str, ...], ONCE] = Field(("all", "000300.SH", "000905.SH", "000852.SH"), min_length=1)
    conventions: Annotated[tuple[Convention, ...], ONCE] = Field(CONVENTIONS, min_length=1)
    horizons: Annotated[tuple[Days, ...], ONCE] = Field((5, 10, 15, 20), min_length=1)
    samplings: Annotated[tuple[Sampling, ...], ONCE] = Field(SAMPLINGS, min_length=1)
    min_names: int = Field(10, ge=2, le=10_000)
    decay: int = Field(20, ge=0, le=MOST_DECAY)
    groups: dict[str, Groups] = Field(dict(GROUPS))
    other_groups: Groups = 10
    all_share_index: str = ALL_SHARE
    tops: Annotated[tuple[TopName, ...], ONCE] = ("top10pct", "top100")
    top_every: Annotated[tuple[Days, ...], ONCE] = (5, 10, 15, 20)
    top_conventions: Annotated[tuple[Convention, ...], ONCE] = ("t0_close", "t1_vwap")
    top_offsets: bool = False
    long_weeks: int = Field(8, ge=0, le=52)
    long_turnover: float = Field(0.15, gt=0, le=1)
    cost_rate: float = Field(0.0015, ge=0, lt=1)
    delist_haircut: float = Field(0.3, ge=0, le=1)
    group_definitions: Study = "study_b"
    top_definitions: Study = "study_a"
    start: Day | None = None
    end: Day | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_the_presets_choices(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("preset") in STUDIES:
            return {**STUDIES[given["preset"]], **given}
        return given

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        return self

    @model_validator(mode="after")
    def _groups_are_of_universes(self) -> Self:
        tested = {canonical(name) for name in (*self.universes, *WHOLE, *GROUPS)}
        if self.preset is None and (lost := [name for name in self.groups if canonical(name) not in tested]):
            raise ValueError(f"groups: {lost[0]!r} is no universe of this test: {choices(lost[0], self.universes)}")
        return self

    @model_validator(mode="after")
    def _tops_are_traded(self) -> Self:
        if self.tops and not (self.top_every and self.top_conventions):
            raise ValueError("tops need top_every and top_conventions; tops = [] leaves them out")
        return self

    def groups_of(self, universe: str) -> int:
        """Number of groups of a universe, 0 = none."""
        return self.groups.get(universe, self.other_groups)
