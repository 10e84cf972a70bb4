"""What every label says of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.panel.returns import MOST_DAYS, Convention


class LabelSettings(Spec):
    """`horizon` in trading days; `convention` = entry and exit; `cap` = the market value that is "size".

    `cap` is one choice a market and stands in every result: total market value needs total shares, which not every
    vendor has.
    """

    horizon: int = Field(default=10, ge=1, le=MOST_DAYS)
    convention: Convention = "t1_close"
    cap: Literal["total", "float"] = "float"
