"""Facts that are no table: model cards with their timeline of folds, and lists of names and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.definition_words import definition_of_portfolio
from deepfactor.report.formats import number
from deepfactor.report.network import diagram
from deepfactor.report.published import reference
from deepfactor.report.weights_words import weights_said
from deepfactor.report.words import Text, joined, words

Fact = tuple[str, str]

_ROLES = ("train", "valid", "test")
_CARD_FACTS = ("kind", "settings", "inputs", "label", "loss", "weighting", "scaling", "seeds", "fit")
_PORTFOLIO_FACTS = ("start", "end", "capital", "benchmark", "replica_weights", "dividend_tax")
_COUNTED = ("rebalances", "relaxed_rebalances", "frozen_rebalances", "infeasible_rebalances")
_MARKET_FACTS = ("source", "name", "span", "days", "stocks", "cap", "settings", "fingerprint")


@dataclass(frozen=True)
class Span:
    """A stretch of a fold on the timeline, in percent of its length; `label` gives the dates."""

    role: str
    left: float
    width: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """Folds under a common axis: (fold's name, its spans), and the years' ticks as (percent, text)."""

    rows: tuple[tuple[str, tuple[Span, ...]], ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class ModelCard:
    """One arm's model: what the page shows of it; `parameters` is empty where there is no network."""

    name: str
    parameters: str
    diagram: Markup
    facts: tuple[Fact, ...]
    published: str


def model_cards(content: RunContent) -> list[ModelCard]:
    """A card for each arm that has a model."""
    return [_card(arm) for arm in content.arms if arm.model_card]


def _card(arm: ArmContent) -> ModelCard:
    card = arm.model_card
    stated = [key for key in _CARD_FACTS if card.get(key) not in (None, {}, [], "")]
    facts = tuple((_label(key), sentence(card[key])) for key in stated)
    ref = reference(arm.published)
    parameters = number(card["parameters"], "count") if "parameters" in card else ""
    if not parameters and "features" in (card.get("inputs") or {}):
        said = words().text["no_network"].filled(kind=card["kind"], features=len(card["inputs"]["features"]))
        facts = ((words().text["network"], said), *facts)
    return ModelCard(arm.name, parameters, diagram(card), facts, Text("") if ref is None else ref.label)


def _label(key: str) -> Text:
    """A fact's name as a heading."""
    term = words().term(key)
    return Text(str(term).capitalize(), term.zh)


def ran(content: RunContent) -> list[Fact]:
    """What was run on which data, in a few lines for the first page."""
    text, market = words().text, content.environment["market"]
    names = ", ".join(arm.name for arm in content.arms)
    facts: list[Fact] = [(text["ran_models"], text["ran_arms"].filled(n=len(content.arms), names=names))]
    span = market.get("span")
    source = _name(market.get("source", "–"))
    facts.append((text["data"], joined(", ", [source, _span_text(span)]) if span else source))
    if market.get("stocks") and market.get("days"):
        sizes = {key: number(market[key], "count") for key in ("stocks", "days")}
        facts.append((text["market_name"], text["ran_sizes"].filled(**sizes)))
    spans = dict.fromkeys(tuple(a.factor_report["span"]) for a in content.arms if a.factor_report.get("span"))
    facts += [(text["test_span"], joined(" · ", [_span_text(s) for s in spans]))] if spans else []
    cards = [arm.model_card for arm in content.arms if arm.model_card]
    for key in ("inputs", "label", "loss", "seeds"):
        given = dict.fromkeys(sentence(card[key]) for card in cards if card.get(key) not in (None, {}, []))
        facts += [(_label(key), joined(" | ", given))] if given else []
    sets = dict.fromkeys((p.index, p.named) for p in content.portfolios)
    enhanced = [joined(" · ", [words().universe(index), constraints]) for index, constraints in sets]
    return [*facts, *([(text["portfolios"], joined(", ", enhanced))] if enhanced else [])]


def _name(value: Any) -> Text:
    """A proper name, translated only where it is a known word."""
    return words().terms.get(str(value), Text(str(value)))


def _span_text(span: Sequence[Any]) -> Text:
    return words().text["span_form"].filled(first=span[0], last=span[-1])


def timeline(content: RunContent) -> Timeline | None:
    """The folds of the first arm that has any: arms of a run share the plan."""
    folds = next((arm.model_card["folds"] for arm in content.arms if arm.model_card.get("folds")), None)
    if folds is None:
        return None
    days = [date.fromisoformat(str(d)) for fold in folds for role in _ROLES for d in fold[role]]
    first, last = min(days), max(days)
    length = max((last - first).days, 1)
    rows = tuple(
        (str(fold.get("name", k + 1)), tuple(_span(role, fold[role], first, length) for role in _ROLES))
        for k, fold in enumerate(folds)
    )
    years = [y for y in range(first.year, last.year + 2) if first <= date(y, 1, 1) <= last]
    step = 1 + len(years) // 10
    ticks = tuple((round(100 * (date(y, 1, 1) - first).days / length, 2), str(y)) for y in years[::step])
    return Timeline(rows, ticks)


def _span(role: str, ends: Sequence[Any], first: date, length: int) -> Span:
    start, end = (date.fromisoformat(str(d)) for d in ends)
    left, width = 100 * (start - first).days / length, 100 * (end - start).days / length
    label = joined(": ", [words().text[role], _span_text((start, end))])
    return Span(role, round(left, 2), round(max(width, 0.3), 2), label)


def market_facts(content: RunContent) -> list[Fact]:
    """What the market is, in the order of importance."""
    market = content.environment["market"]
    names = {"source": "market_source", "name": "market_name"}
    return [
        (words().text[names.get(key, key)], _market_text(key, market[key]))
        for key in _MARKET_FACTS
        if market.get(key) not in (None, {}, "")
    ]


def _market_text(key: str, value: Any) -> str:
    if key == "span":
        return _span_text(value)
    if key in ("source", "cap"):
        return _name(value)
    return number(value, "count") if key in ("days", "stocks") else sentence(value)


def portfolio_facts(p: PortfolioContent) -> list[Fact]:
    """How the backtest was measured, its deepest excess drawdown, its costs and counts."""
    whole, summary = p.summary["all"], p.summary
    facts: list[Fact] = [(key, _stated(p, key)) for key in _PORTFOLIO_FACTS if summary.get(key) is not None]
    facts.append(("definition", definition_of_portfolio(p)))
    if whole.get("excess_drawdown") is not None:
        facts.append(("deepest_excess_drawdown", _episode(whole["excess_drawdown"])))
    facts += [("cost", _said("cost", whole["cost"]))] if whole.get("cost") is not None else []
    facts += [(key, number(whole[key], "count")) for key in _COUNTED if key in whole]
    facts += [("trades", number(p.trades, "count"))] if p.trades is not None else []
    facts += [(key, number(count, "count")) for key, count in summary.get("counts", {}).items() if count]
    return [(_labels(key), value) for key, value in facts]


def _labels(path: str) -> Text:
    """A count's dotted name, part by part."""
    first, *rest = path.split(".")
    return joined(" · ", [_label(first), *map(words().term, rest)])


def _stated(p: PortfolioContent, key: str) -> str:
    """A fact of the whole backtest in words."""
    made = weights_said(p.summary) if key == "replica_weights" else None
    return _said(key, p.summary[key]) if made is None else made


def _said(key: str, value: Any) -> str:
    """A fact of ``summary.json`` in words where there are some for its value."""
    if key in ("capital", "cost"):
        return f"{number(value, 'count')} CNY"
    return words().text.get(f"{key}.{value}", sentence(value))


def _episode(episode: Mapping[str, Any]) -> str:
    form = words().text["episode" if episode.get("recovery") else "episode_open"]
    dates = form.filled(start=episode["start"], trough=episode["trough"], recovery=episode.get("recovery"))
    return joined(", ", [number(episode["depth"], "percent"), dates])


def made_with(content: RunContent) -> list[Fact]:
    """Machine and versions."""
    environment = content.environment
    facts = [*flat(environment.get("machine", {})), *flat(environment.get("versions", {}))]
    return [(Text(key, words().term(key).zh) if key in words().terms else key, value) for key, value in facts]


def flat(entries: Mapping[str, Any], above: str = "") -> list[Fact]:
    """A nested mapping as (dotted path, text), in order."""
    facts: list[Fact] = []
    for key, value in entries.items():
        path = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            facts += flat(value, path)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            for k, item in enumerate(value):
                facts += flat(item, f"{path}.{k}")
        else:
            facts.append((path, str(sentence(value))))  # a file's own words
    return facts


def sentence(value: Any) -> Text:
    """A setting as people write it: lists by commas, mappings as ``key value``, None as a dash."""
    if value is None:
        return Text(number(None, "plain"))
    if isinstance(value, Mapping):
        return _listed(joined(" ", [words().setting(str(key)), sentence(item)]) for key, item in value.items())
    if isinstance(value, list | tuple):
        return _listed(map(sentence, value))
    if isinstance(value, bool):
        return words().text["yes" if value else "no"]
    return Text(f"{value:g}") if isinstance(value, float) else words().setting(str(value))


def _listed(parts: Iterable[Text]) -> Text:
    """By commas, each language by its own."""
    given = list(parts)
    return Text(", ".join(given), "，".join(part.zh for part in given))
