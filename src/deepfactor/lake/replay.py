"""`Replay`: a lake in the place of its vendor. What was answered is answered again, as it was known at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deepfactor.core.errors import Unanswered
from deepfactor.lake.checks import require_believable, require_columns
from deepfactor.lake.folder import Lake
from deepfactor.lake.request import Answer, Ask


@dataclass(frozen=True)
class Replay:
    """Answers from a lake; see `deepfactor.lake.request.Fetcher`. `as_of` = nothing that was fetched later."""

    lake: Lake
    as_of: datetime | None = None

    def fetch(self, ask: Ask) -> Answer:
        """The newest recorded answer, checked as a vendor's."""
        held = [one for one in self.lake.of(ask.request.api, as_of=self.as_of) if one.request == ask.request]
        if not held:
            raise Unanswered(f"{ask.request}: the lake {self.lake.path} has no answer")
        require_columns(ask, held[-1].columns)
        rows = self.lake.rows(held[-1:], held[-1].columns)
        require_believable(ask, rows)
        return Answer(ask.request, rows, held[-1].fetched_at)
