"""What a recipe or a command names, by the names of a market: its indices, however they were written."""

from __future__ import annotations

from datetime import date

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError, UserError
from deepfactor.evaluation.settings import ALL_SHARE, GROUPS, WHOLE, TestSettings
from deepfactor.market.indices import index_named
from deepfactor.panel.panel import Panel, rows_between
from deepfactor.pipeline.markets import Market
from deepfactor.recipe import Recipe, check_portfolios


def index_of(asked: str, market: Market, key: str) -> str:
    """The market's code of an index, in whatever form it was asked for.

    Raises
    ------
    RecipeError
        no such index, or several; `key` is where it was asked for.
    """
    known = sorted(market.universe.members)
    code = index_named(asked, known)
    if code is None:
        raise RecipeError(f"unknown index {asked!r}: of this market's indices {choices(asked, known)}", key=key)
    return code


def row_of(panel: Panel, day: date | None) -> int:
    """The row of a day that was asked for; without one the last.

    Raises
    ------
    UserError
        the market doesn't have the day.
    """
    dates = panel.dates
    if day is None:
        return len(dates) - 1
    rows = rows_between(dates, day, day)
    if rows.start == rows.stop:
        raise UserError(f"--day {day}: the market has no such trading day; it holds {dates[0]} to {dates[-1]}")
    return int(rows.start)


def with_market_names(recipe: Recipe, market: Market) -> Recipe:
    """The recipe with the market's own codes of what it names.

    Raises
    ------
    RecipeError
        an index that the market doesn't have, or the same portfolio twice under two names.
    """
    portfolios = tuple(
        one.model_copy(update={"index": index_of(one.index, market, f"portfolios.{i}.index")})
        for i, one in enumerate(recipe.portfolios)
    )
    named = recipe.model_copy(update={"portfolios": portfolios, "test": named_test(recipe.test, market)})
    check_portfolios(named)
    return named


def named_test(settings: TestSettings, market: Market, key: str = "test") -> TestSettings:
    """The settings of a test with the market's own codes.

    Raises
    ------
    RecipeError
        a universe that the market doesn't have, or one twice; horizons that no two of its days are apart.
    """
    codes = sorted(market.universe.members)
    universes = []
    for i, asked in enumerate(settings.universes):
        universe = asked.casefold() if asked.casefold() in WHOLE else index_named(asked, codes)
        where = f"{key}.universes.{i}"
        if universe is None:
            raise RecipeError(f"unknown universe {asked!r}: {choices(asked, (*WHOLE, *codes))}", key=where)
        if universe in universes:
            raise RecipeError(f"{asked!r} is {universe}, which stands before it", key=where)
        universes.append(universe)
    _require_room(settings, market, key)
    own = {name: index_named(name, codes) or name for name in (*settings.groups, settings.all_share_index)}
    groups = {own[name]: number for name, number in settings.groups.items()}
    changed = {"universes": tuple(universes), "groups": groups, "all_share_index": own[settings.all_share_index]}
    return settings.model_copy(update=changed)


def _require_room(settings: TestSettings, market: Market, key: str) -> None:
    """No horizon is longer than the market, no group or coefficient wants more names than it has."""
    days, stocks = market.panel.shape
    for name in ("horizons", "top_every"):
        for i, length in enumerate(getattr(settings, name)):
            if length >= days:
                raise RecipeError(f"{length} days: the market holds {days} days", key=f"{key}.{name}.{i}")
    usual = TestSettings()
    wanted = {f"groups.{name}": n for name, n in settings.groups.items() if settings.groups != GROUPS}
    for name in ("other_groups", "min_names"):
        if (n := getattr(settings, name)) != getattr(usual, name):
            wanted[name] = n
    for name, n in wanted.items():
        if n > stocks:
            raise RecipeError(f"{n}: the market has {stocks} stocks", key=f"{key}.{name}")
    levels = (*market.universe.index_close, *market.universe.members)
    if settings.all_share_index != ALL_SHARE and index_named(settings.all_share_index, set(levels)) is None:
        asked = settings.all_share_index
        raise RecipeError(
            f"unknown index {asked!r}: {choices(asked, sorted(set(levels)))}", key=f"{key}.all_share_index"
        )
