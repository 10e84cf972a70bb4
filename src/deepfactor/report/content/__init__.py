"""What a run left, loaded: its records, and what can be read out of them. Nothing here is set for a page."""

from deepfactor.report.content.run import ArmContent, PortfolioContent, RunContent, pick

__all__ = ["ArmContent", "PortfolioContent", "RunContent", "pick"]
