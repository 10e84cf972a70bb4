"""One evening, whole: tables in, scores, what the monitor says, tomorrow's trades of every account, orders, a page.

Everything is idempotent and named by content: repeated, or after a kill, the same evening leaves the same files. What
it leaves are drafts; `release` lets an account's orders out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TypedDict

import numpy as np
from pydantic import Field, ValidationError, field_validator

from deepfactor.core.errors import DataError, DeepfactorError, RecipeError, UserError
from deepfactor.core.files import atomic_path, folder_lock, remove_litter, write_json, write_text
from deepfactor.core.kind import recipe_error
from deepfactor.core.spec import Spec
from deepfactor.core.toml import read_toml
from deepfactor.core.trust import Trust
from deepfactor.core.words import Text
from deepfactor.desk.earned import EarnedRecord
from deepfactor.desk.files import read_folder
from deepfactor.desk.monitoring import Light
from deepfactor.desk.record import NAME, RebalanceFile, RebalanceRecord
from deepfactor.desk.releases import released
from deepfactor.panel.schedule import signal_days
from deepfactor.pipeline import desk
from deepfactor.pipeline.console import Console, Logged, Silent
from deepfactor.pipeline.evening_return import AccountBooks, evening_return
from deepfactor.pipeline.markets import Market, StyleSets, ingest, open_market
from deepfactor.pipeline.models import Standing, standing
from deepfactor.pipeline.monitoring import MonitorRecord, NothingLive, monitor
from deepfactor.pipeline.scoring import DayRecord, score
from deepfactor.recipe import Portfolio, Recipe, load_constraints
from deepfactor.report.evening_page import AccountEvening, evening_workbook, render_evening
from deepfactor.report.press.blocks import Fact
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.runs.written import reading_results

#: Stands for the evening's day in the paths of a nightly file.
DAY = "{day}"
#: Of an account whose files are wrong, with the error.
UNDECIDED = Text("nothing could be decided: {error}", "未能决策：{error}")


class AccountSettings(Spec):
    """One account: `index` and `constraints` as `rebalance` takes them, files of the evening, the broker's form.

    Paths are relative to the nightly file; ``{day}`` in them stands for the evening (2022-12-30). `cash` counts where
    the holdings have no row of it. What the last rebalance aimed at is found among the account's own.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=60)
    index: str
    constraints: str = "study_b"
    holdings: str | None = None
    cash: float | None = Field(default=None, ge=0)
    restricted: str | None = None
    must_sell: str | None = None
    must_hold: str | None = None
    no_trade: str | None = None
    form: str = "generic"
    fractions: bool = False


class SourceSettings(Spec):
    """What is ingested first: `name` and `folder` as `deepfactor ingest` takes them."""

    name: str
    folder: str | None = None


class NightlySettings(Spec):
    """``nightly.toml``. `arm` of the `run` is the live one until `models` has promoted another; None = its only one."""

    market: str
    run: str
    out: str
    arm: str | None = None
    source: SourceSettings | None = None
    accounts: tuple[AccountSettings, ...] = Field(min_length=1)

    @field_validator("accounts")
    @classmethod
    def _names_differ(cls, accounts: tuple[AccountSettings, ...]) -> tuple[AccountSettings, ...]:
        names = [one.name for one in accounts]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two accounts of the name {twice[0]!r}")
        return accounts


class AccountRecord(TypedDict):
    """An account in ``<day>.json``: paths relative to the desk's folder; null where nothing was decided."""

    name: str
    rebalance: str | None
    orders: str | None
    why: str | None
    earned: EarnedRecord | None


class NightlyRecord(TypedDict):
    """``evenings/<day>.json``: written last. `failed`: account -> why nothing could be decided."""

    day: str
    market: str
    scores: list[DayRecord]
    alarms: list[str]
    monitored: bool
    accounts: list[AccountRecord]
    failed: dict[str, str]
    page: str


@dataclass(frozen=True)
class Places:
    """Where a desk keeps what."""

    out: Path

    def rebalances(self, account: str) -> Path:
        """Folders of `rebalance`."""
        return self.out / account / "rebalances"

    def orders(self, account: str) -> Path:
        """Order files."""
        return self.out / account / "orders"

    def evening(self, day: str, end: str) -> Path:
        """The page and the record of an evening."""
        return self.out / "evenings" / f"{day}.{end}"


def models(path: Path, trust: Trust = Trust()) -> tuple[Recipe, RunFolder, Market, Standing]:
    """What a nightly file's desk trades by: the run with its recipe, its market, and who is what."""
    settings, home = load_nightly(path), path.absolute().parent
    run = RunFolder.open(home / settings.run)
    with reading_results(run.path):
        recipe = Recipe.model_validate(read_json(run.recipe), context=trust)
    return (
        recipe,
        run,
        open_market(home / settings.market, live=True),
        standing(recipe, home / settings.out, settings.arm),
    )


def load_nightly(path: Path) -> NightlySettings:
    """Read and check a nightly file; a `RecipeError` names the key."""
    if not path.is_file():
        raise RecipeError(f"no nightly file {path}")
    try:
        return NightlySettings.model_validate(read_toml(path, str(path)))
    except ValidationError as error:
        raise recipe_error(error) from None


def nightly(
    path: Path, day: date | None = None, console: Console | None = None, trust: Trust = Trust(), language: str = "en"
) -> NightlyRecord | None:
    """Do the evening of `day` (None = the market's last) as the nightly file `path` says; None on a day without trade.

    An account whose files are wrong is named in `failed` and keeps no other from its evening.

    Raises
    ------
    UserError
        another evening is under way, or `day` hasn't come to the market.
    """
    settings, home = load_nightly(path), path.absolute().parent
    places = Places(home / settings.out)
    with folder_lock(places.out):
        console = Logged(console or Silent(), places.out / "nightly.log")
        remove_litter(places.out / "evenings")
        market = _market(settings, home, console, trust)
        row = _row(market, day)
        if row is None:
            console.say(f"{day} is no trading day: nothing to do")
            return None
        evening = str(market.panel.dates[row])
        run = RunFolder.open(home / settings.run)
        with reading_results(run.path):
            recipe = Recipe.model_validate(read_json(run.recipe), context=trust)
        models = standing(recipe, places.out, settings.arm)
        arms = (models.champion, *models.challengers)
        scored = score(run, market, day=date.fromisoformat(evening), arms=arms, console=console, trust=trust)
        watched = _monitored(run, market, models.champion, evening, console, trust)
        made, failed, styles = [], dict[str, str](), StyleSets(market)
        for account in settings.accounts:
            try:
                one = _account(account, models.champion, run, market, row, places, home, console, styles)
            except DeepfactorError as error:
                failed[account.name] = str(error)
                one = AccountEvening(account.name, why=UNDECIDED.filled(error=error))
                console.say(f"account {account.name}: {error}")
            made.append(replace(one, earned=_earned(account, market, row, places, home, styles)))
        record: NightlyRecord = {
            "day": evening,
            "market": market.folder.fingerprint,
            "scores": [one for _, one in scored],
            "alarms": [] if watched is None else watched["alarms"],
            "monitored": watched is not None,
            "accounts": [_record(one, places) for one in made],
            "failed": failed,
            "page": str(places.evening(evening, "html").relative_to(places.out)),
        }
        lights = [] if watched is None else [Light(**one) for one in watched["lights"]]  # type: ignore[arg-type]
        text = render_evening(evening, _facts(record), lights, made, language)
        places.evening(evening, "html").parent.mkdir(parents=True, exist_ok=True)
        write_text(places.evening(evening, "html"), text)
        book = evening_workbook(evening, lights, made, market.folder.fingerprint)
        with atomic_path(places.evening(evening, "xlsx")) as temporary:
            temporary.write_bytes(book)
        write_json(places.evening(evening, "json"), record)
        console.say(f"evening of {evening}: {places.evening(evening, 'html')}")
    return record


def _market(settings: NightlySettings, home: Path, console: Console, trust: Trust) -> Market:
    place = home / settings.market
    if settings.source is None:
        return open_market(place, console, live=True)
    name, folder = settings.source.name, settings.source.folder
    own = home / name
    source = str(own) if own.is_file() else name
    return ingest(source, place, None if folder is None else home / folder, console, allow_code=trust.outside)


def _row(market: Market, day: date | None) -> int | None:
    """Row of the evening; None where the calendar says that `day` is none of trade."""
    dates, following = market.panel.dates, market.universe.next_date[-1]
    if day is None:
        return len(dates) - 1
    wanted = np.datetime64(day, "D")
    if wanted <= dates[-1]:
        at = int(np.searchsorted(dates, wanted))
        return at if dates[at] == wanted else None
    if not np.isnat(following) and wanted < following:
        return None
    raise UserError(f"the market ends on {dates[-1]}: the tables of {day} haven't come; nothing was written")


def _monitored(
    run: RunFolder, market: Market, arm: str, evening: str, console: Console, trust: Trust
) -> MonitorRecord | None:
    """What the monitor says; None on a day that the run's test still covers."""
    try:
        return monitor(run, market, arm, date.fromisoformat(evening), console, trust)[1]
    except NothingLive as error:
        console.say(f"not monitored: {error}")
        return None


def _account(
    account: AccountSettings,
    arm: str,
    run: RunFolder,
    market: Market,
    row: int,
    places: Places,
    home: Path,
    console: Console,
    styles: StyleSets,
) -> AccountEvening:
    """Decide an account's evening, where its schedule has one."""
    portfolio = Portfolio(index=account.index, constraints=_file_beside(account.constraints, home))
    day = str(market.panel.dates[row])
    schedule = load_constraints(portfolio).signal
    if not signal_days(market.universe, schedule)[row]:
        why = Text("no signal day: what is held stays", "非信号日，持仓不变")
        return AccountEvening(account.name, why=why)

    def file(given: str | None) -> Path | None:
        return _file(given, home, day)

    out = places.rebalances(account.name)
    evening = desk.Account(
        holdings=file(account.holdings),
        cash=account.cash,
        fractions=account.fractions,
        previous=_previous(out, day),
        restricted=file(account.restricted),
        must_sell=file(account.must_sell),
        must_hold=file(account.must_hold),
        no_trade=file(account.no_trade),
    )
    factor = desk.open_evening(run.path, market, arm, date.fromisoformat(day))
    folder, record = desk.rebalance(factor, market, out, portfolio, evening, date.fromisoformat(day), console, styles)
    if record["trades"]:
        desk.orders(folder, market, places.orders(account.name), _file_beside(account.form, home), account=account.name)
    out_by = released(folder, record["key"])
    return AccountEvening(account.name, record, folder, released_by=None if out_by is None else out_by["by"])


def _file(given: str | None, home: Path, day: str) -> Path | None:
    return None if given is None else home / given.replace(DAY, day)


def _earned(
    account: AccountSettings, market: Market, row: int, places: Places, home: Path, styles: StyleSets
) -> EarnedRecord | Text:
    """What the day has earned; a `Text` says why that isn't known."""
    portfolio = Portfolio(index=account.index, constraints=_file_beside(account.constraints, home))
    then, now = (_books(account, places, home, str(market.panel.dates[k])) for k in (max(row - 1, 0), row))
    try:
        enhancement = load_constraints(portfolio)
    except DeepfactorError as error:
        return UNDECIDED.filled(error=error)
    return evening_return(then, now, market, account.index, enhancement, row, styles, DAY)


def _books(account: AccountSettings, places: Places, home: Path, day: str) -> AccountBooks:
    """Where the holdings of `day` lie. A path without a day is that of tonight's, whichever night it is read."""
    own = _file(account.holdings, home, day) if account.holdings is not None and DAY in account.holdings else None
    made = (folder / "book.csv" for folder, content in _rebalances(places.rebalances(account.name), day))
    return AccountBooks(own, made, account.cash, account.fractions)


def _file_beside(given: str, home: Path) -> str:
    """A file in the folder `home`, if there is such a one; else what was given: a shipped one's name, or a path."""
    own = home / given
    return str(own) if own.is_file() else given


def _previous(out: Path, day: str) -> Path | None:
    """The last rebalance before `day`: the one that was released, else the only one.

    Raises
    ------
    DataError
        several of an evening, and none released.
    """
    found = [(folder, content) for folder, content in _rebalances(out) if content["date"] < day]
    if not found:
        return None
    last = max(content["date"] for _, content in found)
    latest = [(folder, content) for folder, content in found if content["date"] == last]
    let_out = [folder for folder, content in latest if released(folder, content["key"]) is not None]
    if not let_out and len(latest) > 1:
        raise DataError(
            f"{len(latest)} rebalances of {last} and none released: release the one that was traded", file=out
        )
    return (let_out or [latest[0][0]])[0]


def _rebalances(out: Path, day: str = "*") -> Iterator[tuple[Path, RebalanceFile]]:
    """An account's rebalances, of a day if given, by name."""
    for file in sorted(out.glob(f"{day}-*/{NAME}")):
        content: RebalanceFile = read_folder(file.parent, NAME, "rebalance", RebalanceRecord.__annotations__)
        yield file.parent, content


def _record(one: AccountEvening, places: Places) -> AccountRecord:
    """Its place, and the order file of its rebalance, a draft or released."""
    earned = None if isinstance(one.earned, str) else one.earned
    if one.folder is None or one.record is None:
        return {
            "name": one.name,
            "rebalance": None,
            "orders": None,
            "why": None if one.why is None else str(one.why),
            "earned": earned,
        }
    found = places.orders(one.name).glob("*.json")
    orders = [file for file in sorted(found) if f'"{one.record["key"]}"' in file.read_text(encoding="utf-8")]
    return {
        "name": one.name,
        "rebalance": str(one.folder.relative_to(places.out)),
        "orders": str(orders[-1].relative_to(places.out)) if orders else None,
        "why": None,
        "earned": earned,
    }


def _facts(record: NightlyRecord) -> list[Fact]:
    said = [(Text("Evening", "日期"), record["day"]), (Text("Market", "数据指纹"), record["market"])]
    for one in record["scores"]:
        words = Text(
            "{stocks} stocks, by fold {fold}, whose training has seen prices to {until}, {age} trading days ago",
            "{stocks}只股票，{fold}折模型，训练所见价格截至{until}，距今{age}个交易日",
        ).filled(stocks=str(one["stocks"]), fold=one["fold"], until=one["trained_until"], age=str(one["age"]))
        said.append((Text("Score {arm}", "得分 {arm}").filled(arm=one["arm"]), words))
    return list[Fact](said)
