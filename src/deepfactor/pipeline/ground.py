"""What results behind training are made of, in whatever process: the market, who is scored, styles, risk, scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deepfactor.core.arrays import Bools
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.markets import Market, StyleSets
from deepfactor.pipeline.risk import risk_folder, risk_model
from deepfactor.portfolio.presets import Enhancement
from deepfactor.risk.model import RiskModel
from deepfactor.runs.factors import read_scores
from deepfactor.runs.layout import RunFolder
from deepfactor.styles.base import StyleSet


@dataclass(frozen=True)
class ScoresOf:
    """Scores in a run's folder: an arm's or combination's ensemble, or a seed; `dropped` as their record says."""

    run: RunFolder
    arm: str
    seed: int | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)

    def read(self, panel: Panel) -> Scores:
        """As they lie there, aligned with the panel that they were made on."""
        name = self.arm if self.seed is None else f"{self.arm} seed {self.seed}"
        return read_scores(self.run.scores(self.arm, self.seed), panel, name=name, dropped=self.dropped)


@dataclass(frozen=True)
class Ground:
    """What results are made of.

    Attributes
    ----------
    market : opened
    eligible : (T, N) who is scored
    sets : style sets of the market
    read : the scores that a run's folder has
    risks : risk models by their key, each opened the first time that it is asked for
    """

    market: Market
    eligible: Bools
    sets: StyleSets
    read: Callable[[ScoresOf], Scores]
    risks: dict[str, RiskModel] = field(default_factory=dict)

    def risk(self, styles: StyleSet, enhancements: Sequence[Enhancement], console: Console) -> RiskModel | None:
        """The risk model that any of `enhancements` wants, by the first that does; None = none does."""
        settings = next((one.of_risk for one in enhancements if one.of_risk is not None), None)
        if settings is None:
            return None
        key = risk_folder(self.market, styles, settings).name
        if key not in self.risks:
            exposures = self.sets.of(styles).exposures
            self.risks[key] = risk_model(self.market, styles, exposures, settings, console)
        return self.risks[key]
