"""Source `tushare`: a lake of Tushare's answers (`deepfactor fetch tushare`) as our tables; reads no network."""

from __future__ import annotations

from pathlib import Path

from deepfactor.core.days import Day
from deepfactor.core.spec import Spec
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.sources._lake import lake_mapping, open_held
from deepfactor.sources._lake_tables import LakeTables
from deepfactor.sources._lake_tushare import OF_COLUMNS, VIEWS

_NEEDED = ("stock_basic", "daily", "adj_factor")


class Settings(Spec):
    """`as_of` = nothing that was fetched after this day (in Shanghai): the market as it was known then."""

    as_of: Day | None = None


def open_source(settings: Settings, folder: Path | None, trust: Trust = SHIPPED) -> LakeTables:
    """The source over the lake in `folder`; settings name no files, so there is nothing to `trust`.

    Raises
    ------
    DataError
        no lake of Tushare's, or one without prices or factors.
    """
    held = open_held(folder, "tushare", settings.as_of, _NEEDED)
    return LakeTables(lake_mapping("tushare", held, VIEWS, OF_COLUMNS), held, VIEWS)
