"""Verbs that take ``--language`` anywhere, and have help and usage in Chinese where Chinese is spoken."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence

import typer
from rich.cells import cell_len
from typer.core import TyperCommand, TyperGroup

from deepfactor.cli.language import help_of, language, spoken
from deepfactor.core.words import LANGUAGES

#: What a line has, at most and at least, in columns of the terminal.
_WIDEST, _NARROWEST = 78, 50
#: Names of options stand in a column of at most so many.
_NAMES = 30
#: What typer puts behind a help: ``[default: x; required]``.
_BEHIND = re.compile(r"\s*\[((?:default: |required|[\d.]+<=x|x[<>]=).*)\]$", re.DOTALL)
#: Where a line may end: behind any Chinese character, never before a mark that closes; other words stay whole.
_PIECES = re.compile(
    r"[（「“]?[⺀-鿿豈-﫿][，。；：、！？）」”…]*|[^\s⺀-鿿，。；：、！？（）「」“”…]+[，。；：、！？）」”…]*|\s+|."
)


class Verb(TyperCommand):
    """One verb."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """What the terminal speaks a page shows first; what a program reads doesn't hang on where it runs."""
        if any(param.name == "language" for param in self.params):
            said = "--json" in args or any(word.partition("=")[0] == "--language" for word in args)
            return super().parse_args(ctx, args if said else ["--language", language(), *args])
        return super().parse_args(ctx, _without_language(args))

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        return super().get_help(ctx) if language() == "en" else _chinese_help(self, ctx)

    def get_usage(self, ctx: typer.Context) -> str:  # type: ignore[override]
        return super().get_usage(ctx) if language() == "en" else _usage(self, ctx)


class Verbs(TyperGroup):
    """All of them."""

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        return super().get_help(ctx) if language() == "en" else _chinese_help(self, ctx)

    def get_usage(self, ctx: typer.Context) -> str:  # type: ignore[override]
        return super().get_usage(ctx) if language() == "en" else _usage(self, ctx)


def _without_language(args: Sequence[str]) -> list[str]:
    """The words of a verb that makes no page: the terminal's language has been read off them already."""
    kept, rest = list[str](), iter(args)
    for word in rest:
        name, is_set, value = word.partition("=")
        if name != "--language":
            kept.append(word)
        elif (given := value if is_set else next(rest, "")) not in LANGUAGES:
            raise typer.BadParameter(f"{given!r} is not one of 'en', 'zh'.", param_hint="'--language'")
        if word == "--":
            return [*kept, *rest]
    return kept


def usage_error(error: typer.BadParameter) -> str:
    """What click shows of wrong words, in Chinese."""
    said = f"错误：{spoken(error.format_message())}"
    if (ctx := error.ctx) is None:
        return said
    return f"{ctx.get_usage()}\n查看帮助：{ctx.command_path} --help\n\n{said}"


def _usage(command: TyperCommand | TyperGroup, ctx: typer.Context) -> str:
    named = {"[OPTIONS]": "[选项]", "COMMAND [ARGS]...": "命令 [参数]..."}
    pieces = [named.get(piece, piece) for piece in command.collect_usage_pieces(ctx)]
    return f"用法：{ctx.command_path} {' '.join(pieces)}"


def _chinese_help(command: TyperCommand | TyperGroup, ctx: typer.Context) -> str:
    """As click lays it out; lines are as wide as their characters, and end between any two Chinese ones."""
    width = max(min(shutil.get_terminal_size().columns - 2, _WIDEST), _NARROWEST)
    lines = [_usage(command, ctx), ""]
    for part in help_of(command.help or "").split("\n\n"):
        lines += [f"  {line}" for line in wrapped(part, width - 2)] + [""]
    rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for param in command.get_params(ctx):
        if (record := param.get_help_record(ctx)) is not None:
            rows[param.param_type_name].append((record[0], _said(record[1])))
    for head, given in (("参数", rows["argument"]), ("选项", rows["option"]), ("命令", _verbs(command))):
        if given:
            lines += [f"{head}：", *_table(given, width), ""]
    return "\n".join(lines).rstrip()


def _verbs(command: TyperCommand | TyperGroup) -> list[tuple[str, str]]:
    """Each verb with the first sentence of its help."""
    if not isinstance(command, TyperGroup):
        return []
    return [(name, f"{help_of(one.help or '').partition('。')[0]}。") for name, one in command.commands.items()]


def _said(text: str) -> str:
    """The help of an option, and what typer puts behind it."""
    behind = _BEHIND.search(text)
    said = help_of(text[: behind.start()] if behind else text)
    if behind is None:
        return said
    parts = ["必填" if one == "required" else one.replace("default: ", "默认：") for one in behind[1].split("; ")]
    return f"{said} [{'；'.join(parts)}]"


def _table(rows: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    """Names, and beside them what they are."""
    kept = list(rows)
    column = min(max(cell_len(name) for name, _ in kept), _NAMES) + 2
    for name, text in kept:
        first, *more = wrapped(text, width - column - 2)
        if cell_len(name) > column - 2:
            yield f"  {name}"
            yield f"  {'':<{column}}{first}"
        else:
            yield f"  {name:<{column}}{first}"
        yield from (f"  {'':<{column}}{line}" for line in more)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns of a terminal, on which a Chinese character takes two.

    >>> wrapped("训练、评分、检验。", 10)
    ['训练、评', '分、检验。']
    """
    lines = [""]
    for piece in _PIECES.findall(" ".join(text.split())):
        if cell_len(lines[-1] + piece.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines]
