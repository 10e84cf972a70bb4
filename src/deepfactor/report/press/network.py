"""The network of a model card as a diagram (SVG), drawn from the card's layers alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from markupsafe import Markup, escape

from deepfactor.core.words import Text
from deepfactor.report.press.formats import number
from deepfactor.training.records import LayerCard, ModelCard

WIDTH = 460
_GAP, _HEAD, _LINE, _PAD = 26, 24, 15, 9
_DROPPED = re.compile(r",? ?(eps|elementwise_affine|bias|batch_first|dropout|affine)=[^,()]+")


@dataclass(frozen=True)
class LayerBox:
    """One part of the network: its name, what it is (a line each), its number of parameters as text."""

    name: str
    lines: tuple[str, ...]
    parameters: str

    @property
    def height(self) -> int:
        return _HEAD + _LINE * len(self.lines) + _PAD


def diagram(card: ModelCard) -> Markup:
    """Input, parts from top to bottom and the score, as one SVG element; empty without layers."""
    layers = card.get("layers")
    if not layers:
        return Markup("")
    columns, rest = branches(layers)
    shapes, y = [_end(_read(card), 0)], 34
    if columns:
        width = (WIDTH - 16 * (len(columns) - 1)) / len(columns)
        tallest = max(sum(b.height + _GAP for b in column) for column in columns)
        for k, column in enumerate(columns):
            shapes += _stack(column, k * (width + 16), width, y, WIDTH / 2, join=y + tallest)
        y += tallest
    for block in rest:
        shapes += [_arrow(WIDTH / 2, y, WIDTH / 2, y + _GAP), _box(block, 0, WIDTH, y + _GAP)]
        y += _GAP + block.height
    shapes += [
        _arrow(WIDTH / 2, y, WIDTH / 2, y + _GAP),
        _end(Text("Score: one number a stock and day", "得分：每只股票每日一个数"), y + _GAP),
    ]
    y += _GAP + 34
    label = escape(", ".join(str(layer["name"]) for layer in layers))
    return Markup(
        f'<svg class="network" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{label}">{"".join(shapes)}</svg>'
    )


def _read(card: ModelCard) -> Text:
    """What goes in."""
    match card.get("inputs"):
        case {"features": [_, *_] as features, "window": int() as window}:
            said = Text(
                "Input: {features} fields × {window} days a stock", "输入：每只股票{features}个字段 × {window}日"
            )
            return said.filled(features=len(features), window=window)
    return Text("Input", "输入")


def branches(layers: Sequence[LayerCard]) -> tuple[list[list[LayerBox]], list[LayerBox]]:
    """Leading parts named ``<branch>_<part>`` of several branches stand side by side; the rest follows in order."""
    leading = list(takewhile(lambda layer: "_" in str(layer["name"]), layers))
    groups: dict[str, list[LayerBox]] = {}
    for layer in leading:
        groups.setdefault(str(layer["name"]).split("_")[0], []).append(_block(layer))
    if len(groups) < 2:
        return [], [_block(layer) for layer in layers]
    others = [_block(layer) for layer in layers[len(leading) :]]
    return list(groups.values()), others


def _block(layer: LayerCard) -> LayerBox:
    return LayerBox(str(layer["name"]), tuple(described(str(layer.get("what") or ""))), _count(layer))


def _count(layer: LayerCard) -> str:
    return number(layer["parameters"], "count")


def described(what: str) -> list[str]:
    """torch's words for a part, a line for each piece of it, without defaults."""
    pieces = re.split(r"\(\w+\): ", what)
    kept = [piece.strip() for piece in (pieces[1:] if len(pieces) > 1 else pieces)]
    return [line for line in map(_short, kept) if line]


def _short(piece: str) -> str:
    piece = _DROPPED.sub("", piece)
    while piece.count(")") > piece.count("("):
        piece = piece[: piece.rindex(")")].strip()
    piece = re.sub(r"in_features=(\d+), out_features=(\d+)", r"\1 → \2", piece)
    piece = re.sub(r"\((\d+), (\d+)", r"(\1 → \2", piece)
    piece = re.sub(r"kernel_size=\((\d+),\)", r"k\1", piece)
    piece = re.sub(r"stride=\((\d+),\)", r"s\1", piece)
    return re.sub(r"\(\((\d+),\)\)", r"(\1)", piece).replace("groups=", "groups ").replace(", s1)", ")")


def _stack(column: list[LayerBox], x: float, width: float, y: float, centre: float, *, join: float) -> list[str]:
    shapes, middle, above = [], x + width / 2, (centre, y)
    for block in column:
        y += _GAP
        shapes += [_arrow(*above, middle, y), _box(block, x, width, y)]
        y += block.height
        above = (middle, y)
    return [*shapes, f'<path class="wire" d="M{middle:g} {y:g} L{middle:g} {join - 8:g} L{centre:g} {join:g}"/>']


def _box(block: LayerBox, x: float, width: float, y: float) -> str:
    right = x + width - 10
    lines = "".join(
        f'<text class="what" x="{x + 12:g}" y="{y + _HEAD + 11 + _LINE * k:g}">{escape(line)}</text>'
        for k, line in enumerate(block.lines)
    )
    return (
        f'<rect class="part" x="{x:g}" y="{y:g}" width="{width:g}" height="{block.height}" rx="5"/>'
        f'<text class="name" x="{x + 12:g}" y="{y + 18:g}">{escape(block.name)}</text>'
        f'<text class="size" x="{right:g}" y="{y + 18:g}" text-anchor="end">{block.parameters}</text>{lines}'
    )


def _end(text: Text, y: float) -> str:
    shown = (("en", str(text)), ("zh", text.zh))
    labels = "".join(
        f'<text class="end {language}" x="{WIDTH / 2:g}" y="{y + 22:g}" text-anchor="middle">{escape(words_)}</text>'
        for language, words_ in shown
    )
    return f'<rect class="end" x="0.5" y="{y + 0.5:g}" width="{WIDTH - 1}" height="33" rx="16"/>{labels}'


def _arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    head = f"M{x1 - 4:g} {y1 - 7:g} L{x1:g} {y1 - 1:g} L{x1 + 4:g} {y1 - 7:g}"
    bend = f"L{x0:g} {y0 + 8:g} L{x1:g} {y0 + 8:g} " if x0 != x1 else ""
    return f'<path class="wire" d="M{x0:g} {y0:g} {bend}L{x1:g} {y1 - 1:g} {head}"/>'
