"""Source `baostock`: a lake of BaoStock's answers (`deepfactor fetch baostock`) as our tables; reads no network."""

from __future__ import annotations

from pathlib import Path

from deepfactor.core.days import Day
from deepfactor.core.spec import Spec
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.lake._baostock.calls import BARS
from deepfactor.sources._lake import LakeReader, lake_mapping, open_held
from deepfactor.sources._lake_baostock import VIEWS
from deepfactor.sources._mapped import MappedTables

_NEEDED = ("query_trade_dates", "query_stock_basic", BARS, "query_adjust_factor")


class Settings(Spec):
    """`as_of` = nothing that was fetched after this day (in Shanghai): the market as it was known then."""

    as_of: Day | None = None


def open_source(settings: Settings, folder: Path | None, trust: Trust = SHIPPED) -> MappedTables:
    """The source over the lake in `folder`; settings name no files, so there is nothing to `trust`.

    Raises
    ------
    DataError
        no lake of BaoStock's, or one without prices or factors.
    """
    held = open_held(folder, "baostock", settings.as_of, _NEEDED)
    return MappedTables(lake_mapping("baostock", held, VIEWS, {}), LakeReader(held, VIEWS))
