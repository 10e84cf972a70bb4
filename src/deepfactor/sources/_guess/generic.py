"""A mapping of files that are no known vendor's, by the names of their columns and what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from deepfactor.core.words import Text
from deepfactor.market.boards import find_board
from deepfactor.market.codes import other_form_of
from deepfactor.market.indices import NAMES
from deepfactor.sources._guess.looking import Group
from deepfactor.sources._guess.units import settle_units, settle_values, settle_weights
from deepfactor.sources._guess.words import BESIDE, ITEMS, PRICES, meanings

#: Forms of codes = patterns of a mapping.
_FORMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    r"^(SH|SZ|BJ)\d{6}$": ((r"^(SH|SZ|BJ)(\d{6})$", "$2.$1"),),
    r"^(sh|sz|bj)[._]?\d{6}$": (
        (r"^sh[._]?(\d{6})$", "$1.SH"), (r"^sz[._]?(\d{6})$", "$1.SZ"), (r"^bj[._]?(\d{6})$", "$1.BJ"),
    ),
    r"^\d{6}\.(XSHG|XSHE|XBSE|BJSE|SS|sh|sz|bj)$": (
        (r"^(\d{6})\.(?:XSHG|SS|sh)$", "$1.SH"), (r"^(\d{6})\.(?:XSHE|sz)$", "$1.SZ"),
        (r"^(\d{6})\.(?:XBSE|BJSE|bj)$", "$1.BJ"),
    ),
    r"^\d{6}$": (
        (r"^((?:60|68)\d{4})$", "$1.SH"), (r"^([03]0\d{4})$", "$1.SZ"), (r"^((?:43|8[378]|92)\d{4})$", "$1.BJ"),
    ),
    r"^\d{1,5}$": (
        (r"^(\d{4})$", "00$1.SZ"), (r"^(\d{3})$", "000$1.SZ"), (r"^(\d{2})$", "0000$1.SZ"), (r"^(\d)$", "00000$1.SZ"),
    ),
}  # fmt: skip
_INDICES = (
    (r"^(?:sh|SH)?[._]?(0\d{5})(?:\.XSHG|\.SS|\.sh)?$", "$1.SH"),
    (r"^(?:sz|SZ)?[._]?(399\d{3})(?:\.XSHE|\.sz)?$", "$1.SZ"),
)
#: Digits of indices, which are those of a stock in Shenzhen too.
_BARE_INDICES = frozenset(code[:6] for code in NAMES)

_NOT_UNDERSTOOD = Text("not understood: {pattern}, with the columns {columns}", "未能识别：{pattern}，列为{columns}")
_LACKING = Text("QUESTION: some files lack {columns}: missing there", "问题：有的文件没有{columns}列，视为缺失")
_NO_FACTOR = Text(
    "QUESTION: no adjustment factor was found. Raw prices need a cumulative backward one (adj_factor); without it say "
    "no_adjustment = true at the top, and returns contain the drops of ex-dates",
    "问题：未找到复权因子。原始价格需要累计后复权因子（adj_factor）；若没有，请在顶部写no_adjustment = true，"
    "收益率将包含除权除息造成的下跌",
)
_WHICH_FACTOR = Text(
    "QUESTION: is this factor cumulative and backward (it never falls as time goes on)?",
    "问题：该因子是累计后复权因子吗（随时间不会下降）？",
)
_NO_ST = Text(
    "QUESTION: nothing says who was ST: is there a column, or a table of names?",
    "问题：没有ST信息：是否有该列，或证券更名表？",
)
_NO_VALUE = Text(
    "QUESTION: no market value was found: size and index weights need one (float_mv or total_mv)",
    "问题：未找到市值：规模因子与指数权重需要它（float_mv或total_mv）",
)
_SURVIVORS = Text(
    "QUESTION: are delisted stocks among them? If not, results are too good (survivorship)",
    "问题：是否包含已退市股票？若不包含，结果会偏好（幸存者偏差）",
)
_ANNOUNCED = Text(
    "QUESTION: is {column} the day of publication? The figures are known from the day after it",
    "问题：{column}是公告日吗？数据自其次日起视为已知",
)

Say = Callable[[str, Text], None]


class Guessing:
    """Fills a mapping's content from groups of files; `say` takes a comment for a part."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.content: dict[str, Any] = {"name": "my_data", "cap": "float", "drop_unknown": True, "tables": {}}
        self.used: dict[str, list[Group]] = {}
        self._codes: set[str] = set()
        self._days = 0

    def fill(self, groups: Sequence[Group]) -> bool:
        """Whether bars were found among `groups`, and all that goes with them."""
        rest = []
        for group in groups:
            means = meanings(group.columns)
            if all(name in means for name in (*PRICES, "date", "volume")) and not self._of_index(group, means):
                self._bars(group, means)
            else:
                rest.append((group, means))
        if "daily" not in self.content["tables"]:
            return False
        for group, means in rest:
            if not self._beside(group, means):
                shown = ", ".join(sorted(group.columns)[:12])
                self._say("", _NOT_UNDERSTOOD.filled(pattern=group.pattern, columns=shown))
        self._ask()
        self._write_codes()
        return True

    def _of_index(self, group: Group, means: Mapping[str, str]) -> bool:
        codes = self._codes_of(group, means)
        stocks = [code for code in codes if find_board(_plain_code(code)) is not None and code not in _BARE_INDICES]
        return bool(codes) and not stocks

    def _codes_of(self, group: Group, means: Mapping[str, str]) -> list[str]:
        if "symbol" in means:
            return group.sample[means["symbol"]].cast(pl.String).unique().drop_nulls().head(5000).to_list()
        if "{code}" not in group.pattern:
            return []
        before, _, after = group.pattern.rpartition("/")[2].partition("{code}")
        return [file.name[len(before) : len(file.name) - len(after)] for file in group.files]

    def _keys(self, group: Group, means: Mapping[str, str], *, of_index: bool = False) -> str | None:
        """The column of codes, `code` where file names hold them; None where nothing does."""
        if not of_index:
            self._codes.update(self._codes_of(group, means))
        return means.get("symbol") or ("code" if "{code}" in group.pattern else None)

    def _origin(self, key: str, group: Group, symbol: str | None) -> dict[str, Any]:
        self.used[key] = [group]
        origin = group.origin(coded=symbol == "code" and "code" not in group.columns)
        if group.lacking:
            origin["may_lack"] = list(group.lacking)
            self._say(key, _LACKING.filled(columns=", ".join(group.lacking)))
        return origin

    def _bars(self, group: Group, means: Mapping[str, str]) -> None:
        symbol = self._keys(group, means)
        if symbol is None:
            return
        tables = self.content["tables"]
        if "daily" in tables:  # further files of the same columns
            daily = tables["daily"]
            if group.columns == self.used["tables.daily"][0].columns:
                before = daily.pop("files", None) or daily.pop("file")
                more = group.origin(coded=symbol == "code" and "code" not in group.columns)
                daily["files"] = [*([before] if isinstance(before, str) else before), *more.values()]
                self.used["tables.daily"].append(group)
            else:
                self._say("", _NOT_UNDERSTOOD.filled(pattern=group.pattern, columns=", ".join(sorted(group.columns))))
            return
        self._days = group.sample[means["date"]].n_unique()
        columns: dict[str, Any] = {"date": means["date"], "symbol": symbol}
        columns |= {name: means[name] for name in (*PRICES, "volume", "amount", *BESIDE) if name in means}
        for flag in ("is_st", "is_suspended"):
            if flag in columns:
                columns[flag] = _flag(columns[flag], group.sample)
        if "adj_factor" in columns:
            self._say("tables.daily.columns", _WHICH_FACTOR)
        settle_units(columns, group.sample, lambda text: self._say("tables.daily.columns", text))
        tables["daily"] = {**self._origin("tables.daily", group, symbol), "columns": columns}

    def _beside(self, group: Group, means: Mapping[str, str]) -> bool:
        """Whether a group was understood as something that goes with the bars."""
        ways = (self._weights, self._levels, self._statements, self._names, self._securities, self._industries)
        return any(understood(group, means) for understood in (*ways, self._calendar, self._joined))

    def _table(self, name: str, group: Group, symbol: str | None, content: dict[str, Any]) -> bool:
        if name in self.content["tables"]:
            return False
        self.content["tables"][name] = {**self._origin(f"tables.{name}", group, symbol), **content}
        return True

    def _weights(self, group: Group, means: Mapping[str, str]) -> bool:
        index = means.get("index") or ("code" if "{code}" in group.pattern else None)
        if not {"weight", "date", "symbol"} <= means.keys() or index is None:
            return False
        self._keys(group, means)
        columns: dict[str, Any] = {"index": index, **{name: means[name] for name in ("date", "symbol", "weight")}}
        settle_weights(columns, group.sample, lambda text: self._say("tables.index_weights", text))
        return self._table("index_weights", group, index, {"columns": columns})

    def _levels(self, group: Group, means: Mapping[str, str]) -> bool:
        if not {"date", "close"} <= means.keys() or not self._of_index(group, means):
            return False
        index = self._keys(group, means, of_index=True)
        columns = {"index": index, "date": means["date"], "close": means["close"]}
        return self._table("index_daily", group, index, {"columns": columns})

    def _statements(self, group: Group, means: Mapping[str, str]) -> bool:
        items = {name: means[name] for name in ITEMS if name in means}
        symbol = self._keys(group, means)
        if not items or "period" not in means or "announced" not in means or symbol is None:
            return False
        parts = self.content.setdefault("fundamentals", {}).setdefault("statements", [])
        key = f"fundamentals.statements.{len(parts)}"
        self._say(key, _ANNOUNCED.filled(column=means["announced"]))
        keys = {"symbol": symbol, "period": means["period"], "announced": means["announced"]}
        parts.append({**self._origin(key, group, symbol), **keys, "items": items})
        return True

    def _names(self, group: Group, means: Mapping[str, str]) -> bool:
        """A table of names with the days from which they hold: who was ST."""
        if not {"name", "symbol", "start_date"} <= means.keys() or means.keys() & {"industry", "list_date", "weight"}:
            return False
        symbol = self._keys(group, means)
        parts = self.content["tables"]["daily"].setdefault("intervals", [])
        end = {"end": means["end_date"]} if "end_date" in means else {}
        said = {"into": "is_st", "symbol": symbol, "start": means["start_date"], **end, "value": means["name"]}
        origin = self._origin(f"tables.daily.intervals.{len(parts)}", group, symbol)
        parts.append({**said, **origin, "matching": r"^G?\*?S?\*?ST"})
        return True

    def _securities(self, group: Group, means: Mapping[str, str]) -> bool:
        if not {"name", "symbol"} <= means.keys() or means.keys() & {"date", "start_date", "weight", "close"}:
            return False
        symbol = self._keys(group, means)
        names = ("name", "list_date", "delist_date")
        columns = {"symbol": symbol, **{name: means[name] for name in names if name in means}}
        return self._table("securities", group, symbol, {"columns": columns, "priced_only": True})

    def _industries(self, group: Group, means: Mapping[str, str]) -> bool:
        if "industry" not in means or not means.keys() & {"start_date", "date"}:
            return False
        symbol = self._keys(group, means)
        if symbol is None:
            return False
        columns = {"symbol": symbol, "industry": means["industry"]}
        if "start_date" in means:
            content: dict[str, Any] = {"columns": {**columns, "start_date": means["start_date"]}}
        else:
            content = {"listed_on": means["date"], "columns": columns}
        return self._table("industry", group, symbol, {**content, "priced_only": True})

    def _calendar(self, group: Group, means: Mapping[str, str]) -> bool:
        column = means.get("date") or next((one for one in group.columns if one in ("cal_date", "calendar_date")), None)
        if column is None or not ("is_open" in means or group.columns == {column}):
            return False
        where = {"where": {means["is_open"]: "1"}} if "is_open" in means else {}
        return self._table("calendar", group, None, {"columns": {"date": column}, **where})

    def _joined(self, group: Group, means: Mapping[str, str]) -> bool:
        """Further columns of the bars, of each day or from ex-dates on."""
        symbol = self._keys(group, means)
        beside: dict[str, Any] = {name: means[name] for name in BESIDE if name in means}
        if symbol is None or "date" not in means or not beside:
            return False
        daily = self.content["tables"]["daily"]
        if beside.keys() == {"adj_factor"} and self._few_rows(group, symbol):
            key = f"tables.daily.steps.{len(daily.setdefault('steps', []))}"
            self._say(key, _WHICH_FACTOR)
            keys = {"into": "adj_factor", "symbol": symbol, "date": means["date"], "value": beside["adj_factor"]}
            daily["steps"].append({**self._origin(key, group, symbol), **keys, "before_first": 1})
            return True
        key = f"tables.daily.joined.{len(daily.setdefault('joined', []))}"
        for flag in ("is_st", "is_suspended"):
            if flag in beside:
                beside[flag] = _flag(beside[flag], group.sample)
        settle_values(beside, group.sample, lambda text: self._say(key, text))
        keys = {"symbol": symbol, "date": means["date"], "columns": beside}
        daily["joined"].append({**self._origin(key, group, symbol), **keys})
        return True

    def _few_rows(self, group: Group, symbol: str) -> bool:
        if symbol not in group.columns:
            return group.sample.height / max(len(group.files), 1) < self._days / 2
        counts = group.sample[symbol].value_counts()["count"].median()
        return isinstance(counts, int | float) and counts < self._days / 2

    def _ask(self) -> None:
        """Questions about what every market wants."""
        daily = self.content["tables"]["daily"]
        parts = [*daily.get("joined", ()), *({"columns": {one["into"]: ""}} for one in daily.get("steps", ()))]
        parts += [{"columns": {one["into"]: ""}} for one in daily.get("intervals", ())]
        known = {*daily["columns"], *(name for part in parts for name in part["columns"])}
        for name, question in (("adj_factor", _NO_FACTOR), ("is_st", _NO_ST)):
            if name not in known:
                self._say("tables.daily", question)
        if not known & {"float_mv", "total_mv"}:
            self._say("tables.daily", _NO_VALUE)
        elif "float_mv" not in known:
            self.content["cap"] = "total"
        self._say("tables.daily", _SURVIVORS)

    def _write_codes(self) -> None:
        """Patterns for the forms of codes that were met."""
        codes = pl.Series(sorted(self._codes), dtype=pl.String)
        patterns = [pair for form, pairs in _FORMS.items() if codes.str.contains(form).any() for pair in pairs]
        tables = self.content.pop("tables")
        made = self.content.pop("fundamentals", None)
        if patterns:
            self.content["symbols"] = [{"pattern": pattern, "to": to} for pattern, to in patterns]
        if "index_weights" in tables or "index_daily" in tables:
            self.content["indices"] = [{"pattern": pattern, "to": to} for pattern, to in _INDICES]
        self.content["tables"] = tables
        if made is not None:
            self.content["fundamentals"] = made


def _plain_code(code: str) -> str:
    """A code in our form, as far as its digits tell."""
    return other_form_of(code) or other_form_of(code.zfill(6)) or code


def _flag(column: str, sample: pl.DataFrame) -> dict[str, Any]:
    """A flag by the values that stand there."""
    values = set(sample[column].cast(pl.String).unique().drop_nulls().to_list())
    yes = next((one for one in ("1", "1.0", "True", "true", "是", "Y", "y") if one in values), "1")
    return {"from": column, "equals": yes}
