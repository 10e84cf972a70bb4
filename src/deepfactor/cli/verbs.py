"""The verbs. Each calls the function of the same name in `pipeline` and prints what it returns.

Heavy imports stand inside the verbs: ``deepfactor test`` never loads torch.
"""

# Importing a file registers its commands, in the order of ``--help``.
# isort: off
from deepfactor.cli import (
    _market_verbs,
    _mapping_verb,
    _risk_verb,
    _run_verbs,
    _factor_verbs,
    _guard_verbs,
    _scoring_verbs,
    _desk_verbs,
    _serve_verb,
)
from deepfactor.cli.options import Language, app

__all__ = ["Language", "app"]

ROOMS = (
    _market_verbs,
    _mapping_verb,
    _risk_verb,
    _run_verbs,
    _factor_verbs,
    _guard_verbs,
    _scoring_verbs,
    _desk_verbs,
    _serve_verb,
)
