"""A card for each arm's model, and the timeline of folds that the arms share."""

from __future__ import annotations

from datetime import date

from markupsafe import Markup

from deepfactor.core.words import Text
from deepfactor.report.content import ArmContent, RunContent
from deepfactor.report.content.published import Reference, reference, studies
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Block, Drawn, Fact, Facts, Framed, Heading, Said, Section
from deepfactor.report.press.facts import heading, sentence, span
from deepfactor.report.press.formats import number
from deepfactor.report.press.network import diagram
from deepfactor.report.press.timeline import Timeline, timeline
from deepfactor.report.sections._definitions import STUDIES

ORDER = 108

FACTS = ("kind", "settings", "inputs", "label", "loss", "weighting", "scaling", "seeds", "fit")
ROLES = {"train": Text("Train", "训练"), "valid": Text("Validate", "验证"), "test": Text("Test", "测试")}
FOLDS_NOTE = Text(
    "Each fold trains on the first span, stops early on the second and predicts the third. The "
    "gaps between spans are the purge: no label reaches into the next span.",
    "每一期以第一段训练、第二段早停、第三段预测。各段之间的空隙为隔离期：标签不会伸入下一段。",
)


def section(content: RunContent, make: Maker) -> Section | None:
    """The cards, then the folds."""
    cards, title = make.many(model_cards, content), Text("Model cards", "模型卡片")
    line = make.one(folds, content)
    if not cards:
        return None
    return Section(title, (Framed("cards", cards), *([line] if line else [])), link=title)


def model_cards(content: RunContent) -> list[Framed]:
    """A card for each arm that has a model."""
    return [_card(arm) for arm in content.arms if arm.model_card]


def _card(arm: ArmContent) -> Framed:
    card, ref = arm.model_card, reference(arm.published)
    head: list[Block] = [Heading(arm.name)]
    if "parameters" in card:
        counted = number(card["parameters"], "count")
        head.append(Said(Markup("<b>{}</b> {}").format(counted, Text("Parameters", "参数")), ""))
    drawn = diagram(card)
    blocks: list[Block] = [Framed("", tuple(head), "header"), Drawn(drawn)]
    blocks += (
        [
            Said(
                Text(
                    "Number of parameters on the right. Parts side by side work in parallel.",
                    "右侧为参数个数；并列部分并行计算。",
                ),
                "note",
            )
        ]
        if drawn
        else []
    )
    blocks.append(Facts(tuple(_facts(arm))))
    if ref is not None:
        blocks.append(
            Said(
                Markup("{} {}").format(Text("In grey beside its numbers:", "数字下方灰色小字："), study_label(ref)),
                "note",
            )
        )
    return Framed("card", tuple(blocks), "article")


def _facts(arm: ArmContent) -> list[Fact]:
    card = arm.model_card
    facts: list[Fact] = []
    match card.get("inputs"):
        case {"features": [*features]} if "parameters" not in card:
            said = Text("none: {kind} on the day's {features} features", "无：{kind}，当日{features}个特征").filled(
                kind=card["kind"], features=len(features)
            )
            facts.append((Text("Network", "网络结构"), said))
    stated = {key: value for key in FACTS if (value := card.get(key)) not in (None, {}, [], "")}
    return [*facts, *((heading(key), sentence(value)) for key, value in stated.items())]


def study_label(ref: Reference) -> Text:
    """The study's name with its source."""
    entry = studies()[ref.study]
    source = Text(entry["source"], entry["source_zh"])
    return Text("{name} ({source}; {span})", "{name}（{source}；{span}）").filled(
        name=STUDIES[ref.study], source=source, span=span(entry["span"])
    )


def folds(content: RunContent) -> Timeline | None:
    """The folds of the first arm that has any: arms of a run share the plan."""
    fold_cards = next((arm.model_card["folds"] for arm in content.arms if arm.model_card.get("folds")), None)
    if fold_cards is None:
        return None
    rows = [
        (fold["name"], [(_day(span[0]), _day(span[-1])) for span in (fold["train"], fold["valid"], fold["test"])])
        for fold in fold_cards
    ]
    return timeline(Text("Timeline of folds", "滚动训练时间轴"), FOLDS_NOTE, ROLES, rows)


def _day(text: str) -> date:
    return date.fromisoformat(text)
