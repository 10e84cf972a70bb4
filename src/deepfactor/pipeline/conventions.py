"""Which conventions of return a market allows: those of the prices that it has."""

from __future__ import annotations

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence
from deepfactor.evaluation.settings import TestSettings
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import Convention, entry

_LEFT_OUT = Sentence("{what} is left out: the market has no {prices}", "{what}未测试：市场数据没有{prices}")


def with_known_prices(settings: TestSettings, panel: Panel) -> tuple[TestSettings, list[str]]:
    """The same settings, less the conventions whose price the market lacks, and a sentence of what is left out.

    Raises
    ------
    DataError
        no convention is left.
    """

    def known(conventions: tuple[Convention, ...]) -> tuple[Convention, ...]:
        return tuple(one for one in conventions if entry(one)[1] in panel.fields)

    asked = (*settings.conventions, *(settings.top_conventions if settings.tops else ()))
    lost = sorted(set(asked) - set(known(asked)))
    if not lost:
        return settings, []
    prices = ", ".join(sorted({entry(one)[1] for one in lost}))
    if not (conventions := known(settings.conventions)):
        raise DataError(f"can't be formed: the market has no {prices}", table="test", column=", ".join(lost))
    tops = known(settings.top_conventions)
    update = {"conventions": conventions, "top_conventions": tops, **({} if tops else {"tops": ()})}
    return settings.model_copy(update=update), [_LEFT_OUT.format(what=", ".join(lost), prices=prices)]
