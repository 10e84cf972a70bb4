"""From the store's tables to a compiled panel; `opening` tells what its folder holds."""

from deepfactor.panel.build.opening import compile_panel, describe_panel, open_panel

__all__ = ["compile_panel", "describe_panel", "open_panel"]
