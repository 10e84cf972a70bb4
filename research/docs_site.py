"""Stages the docs for the site: the pages of ``docs/``, README, and the reference that is read off the code.

``python -m research.docs_site build/docs``; `mkdocs.yml` builds the site of it (``make docs``).
"""

from __future__ import annotations

import argparse
import inspect
import re
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import typer

import deepfactor
from deepfactor.cli.language import speaking
from deepfactor.cli.verbs import app
from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.core.spec import Spec
from deepfactor.recipe import Recipe
from deepfactor.report.press.words import words
from research.docs_files import file_lines
from research.docs_keys import COLON, ROOMS, TOP, Page, anchor, keys_of, paragraphs, part_lines, parts_of

ROOT = Path(__file__).parents[1]
#: Pages that lie beside docs/, and what they are called on the site.
BESIDE = {"README.md": "index.md", "README.zh.md": "index.zh.md", "CONTRIBUTING.md": "contributing.md"}
BESIDE |= {"CHANGELOG.md": "changes.md"}
CSS = """\
/* Numbers in tables stand under each other; wide tables scroll by themselves. */
.md-typeset table:not([class]) { font-variant-numeric: tabular-nums; }
.md-typeset pre > code { white-space: pre; }
.md-typeset td:first-child code { white-space: nowrap; }
/* Chinese before other fonts that have its letters in Japanese forms. */
:lang(zh) {
  --md-text-font-family: "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Source Han Sans SC", sans-serif;
}
/* Contrast of 4.5 : 1 at least, where the theme has less. */
:root, [data-md-color-scheme="default"] {
  --md-default-fg-color--light: #0009;
  --md-default-fg-color--lighter: #0000008a;
  --md-typeset-a-color: #1d4ed8;
  --md-code-hl-comment-color: #5b6470;
}
.md-typeset :is(p, li, td, dd) a:not(.headerlink) {
  text-decoration: underline;
  text-underline-offset: 0.15em;
}
"""
#: What the theme leaves out for the keyboard and for readers of the screen.
SCRIPT = """\
addEventListener("load", () => setTimeout(() => {
  for (const wide of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) wide.tabIndex = 0;
  document.querySelectorAll(".md-code__nav").forEach((bar, i) => bar.setAttribute("aria-label", `code ${i + 1}`));
  const search = document.querySelector(".md-search");
  if (search) search.setAttribute("aria-label", search.querySelector("input")?.placeholder || "Search");
}, 300));
"""
#: Ends of lines between Chinese letters and marks, which a browser would show as a space.
BETWEEN = re.compile(
    r"(?<=[\u2e80-\u9fff，。；：、！？）」”])\n *(?=[\u2e80-\u9fff（「“`])"
    r"|(?<=[，。；：、！？）])\n *(?=[A-Za-z\[]|\*\*)"
)


def main() -> None:
    """Write the staged pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    stage(parser.parse_args().out)


def stage(out: Path) -> None:
    """All pages of the site, in both languages, into the folder `out`, which is made anew."""
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(ROOT / "docs", out)
    for name, page in BESIDE.items():
        shutil.copy(ROOT / name, out / page)
    for page in sorted(out.rglob("*.md")):
        text = _linked(page.read_text(encoding="utf-8"), page.relative_to(out))
        page.write_text(_joined(text) if page.name.endswith(".zh.md") else text, encoding="utf-8")
    (out / "reference").mkdir()
    for language, suffix in (("en", ".md"), ("zh", ".zh.md")):
        for name, text in reference(language).items():
            (out / "reference" / f"{name}{suffix}").write_text(text, encoding="utf-8")
    (out / "site.css").write_text(CSS, encoding="utf-8")
    (out / "site.js").write_text(SCRIPT, encoding="utf-8")


def reference(language: str) -> dict[str, str]:
    """Pages of the reference by name, in one language."""
    pages = {
        "commands": _commands,
        "recipe": _recipe,
        "constraints": _constraints,
        "python": _python,
        "files": file_lines,
    }
    return {name: "\n".join(make(language)) + "\n" for name, make in pages.items()}


def _linked(text: str, page: Path) -> str:
    """Links as the site has them: to pages by their English name, which each language has; of code the path alone."""

    def moved(match: re.Match[str]) -> str:
        target, _, anchor = match[2].partition("#")
        if re.match(r"[a-z]+:", target) or not target:
            return match[0]
        at = page.parent / target
        if page.as_posix() in BESIDE.values():
            at = Path(target.removeprefix("docs/")) if target.startswith("docs/") else Path("..") / target
        place = Path(_plain(at))
        if not place.suffix:  # a folder
            return f"`{match[1]}`"
        if place.parts[0] == "..":
            outside = "/".join(place.parts[1:])
            if outside not in BESIDE:
                return f"{match[1]} (`{outside}`)"
            place = Path(BESIDE[outside])
        if page.name.endswith(".zh.md") and anchor:
            anchor = _anchor_in_chinese(place, anchor)
        place = place.with_name(place.name.replace(".zh.md", ".md"))
        up = "../" * (len(page.parts) - 1)
        return f"[{match[1]}]({up}{place.as_posix()}{f'#{anchor}' if anchor else ''})"

    return re.sub(r"\[([^\[\]]*)\]\(([^)\s]+)\)", moved, text)


def _joined(text: str) -> str:
    """Chinese without the spaces that ends of lines would be; code as it is."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else BETWEEN.sub("", part) for part in parts)


def _anchor_in_chinese(place: Path, anchor: str) -> str:
    """The heading of the page's Chinese that stands where the English one does."""
    english, chinese = (ROOT / "docs" / place.with_name(place.name.replace(".md", end)) for end in (".md", ".zh.md"))
    if not chinese.is_file() or anchor not in (heads := headings(english.read_text(encoding="utf-8"))):
        return anchor
    return headings(chinese.read_text(encoding="utf-8"))[heads.index(anchor)]


def headings(text: str) -> list[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    heads = re.findall(r"^#+ +(.*)$", plain, flags=re.MULTILINE)
    return [anchor(head) for head in heads]


def _plain(path: Path) -> str:
    """Without steps back, but for those that lead out of docs/."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts) or "."


def _commands(language: str) -> Iterator[str]:
    """What every verb's ``--help`` says."""
    yield from {
        "en": ("# Commands", "", "What `deepfactor VERB --help` says, of every verb."),
        "zh": ("# 命令", "", "每条命令的`deepfactor 命令 --help`。"),
    }[language]
    group: Any = typer.main.get_command(app)
    with speaking(language):
        root = group.make_context("deepfactor", ["doctor"])
        for name in (None, *group.commands):
            command = group if name is None else group.commands[name]
            context = root if name is None else typer.Context(command, parent=root, info_name=name)
            yield from ("", f"## {name or 'deepfactor'}", "", "```text", command.get_help(context).strip(), "```")


def _recipe(language: str) -> Iterator[str]:
    """Keys of a recipe, then of each kind that it can name."""
    yield from {
        "en": (
            "# Keys of a recipe",
            "",
            "What a recipe TOML may say; `deepfactor recipe show demo` shows one, `deepfactor recipe new` begins one.",
        ),
        "zh": (
            "# 配方的键",
            "",
            "配方 TOML 可写的全部键；`deepfactor recipe show demo`显示一个，`deepfactor recipe new`起草一个。",
        ),
    }[language]
    yield from _keys(Page("recipe", language), Recipe)


def _constraints(language: str) -> Iterator[str]:
    """Keys of a constraint file, then of each constraint."""
    from deepfactor.portfolio.presets import Enhancement

    yield from {
        "en": ("# Keys of a constraint file", "", "What a TOML given as `--constraints` may say."),
        "zh": ("# 约束文件的键", "", "`--constraints`所给 TOML 可写的全部键。"),
    }[language]
    yield from _keys(Page("constraints", language), Enhancement)


def _keys(page: Page, spec: type[Spec]) -> Iterator[str]:
    """Keys of a TOML by its parts, then of the kinds that it can name."""
    for part in parts_of(spec):
        yield from ("", f"## {part.place or page.word(TOP)}", "", *part_lines(part, page))
    for room, key in ROOMS[page.name].items():
        yield from ("", f"## {page.kinds_head(key)}")
        for kind in kinds_in(f"deepfactor.{room}"):
            yield from _kind(room, kind, page)


def _kind(room: str, kind: str, page: Page) -> Iterator[str]:
    module = load_kind(f"deepfactor.{room}", kind)
    name = words().terms.get(kind)
    head = f"### `{kind}`" + (f" {name.zh}" if page.language == "zh" and name is not None else "")
    yield from ("", head, "", page.said(paragraphs(module.__doc__ or "")[0]))
    settings: type[Spec] = module.Settings
    if settings.model_fields:
        yield from ("", *keys_of(settings, page))


def _python(language: str) -> Iterator[str]:
    """Signatures and docstrings of what ``import deepfactor`` gives."""
    yield from {
        "en": ("# Python", "", "What `import deepfactor` gives; how to: [in Python](../how-to/python.md)."),
        "zh": (
            "# Python",
            "",
            "`import deepfactor`所提供的名称（代码块取自代码，为英文）；用法见[在 Python 中](../how-to/python.md)。",
        ),
    }[language]
    page = Page("python", language)
    for name in deepfactor.__all__:
        if name.startswith("__"):
            continue
        one = getattr(deepfactor, name)
        said = inspect.getdoc(one) or ""
        yield from ("", f"## {name}")
        if language == "zh":
            yield from ("", page.said(paragraphs(said)[0]))
        yield from ("", "```text", f"{name}{_signature(one)}", "", said, "```", "")
        if inspect.isclass(one) and name.endswith(("Result", "Frame")):
            yield from (f"* `{part}`{page.word(COLON)}{page.said(first)}" for part, first in _members(one))


def _members(one: type) -> Iterator[tuple[str, str]]:
    """Methods and properties of a class, and the first paragraph of what they say."""
    for part, member in sorted(vars(one).items()):
        if not part.startswith("_") and isinstance(member, (property, FunctionType, classmethod, cached_property)):
            yield part, paragraphs(inspect.getdoc(member) or "")[0]


def _signature(one: object) -> str:
    try:
        return str(inspect.signature(one)) if inspect.isfunction(one) else ""  # type: ignore[arg-type]
    except ValueError:
        return ""


if __name__ == "__main__":
    main()
