"""How index weights were made, as the page says it: in both languages, with days, sums and ages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deepfactor.panel.weighting import KINDS
from deepfactor.report.sections import drivers
from deepfactor.report.sections._weights import weights_said
from deepfactor.report.sections.warnings import cautions


def made(days, **more):
    kind = max(days, key=days.get)
    return {"replica_weights": kind, "replica_weights_days": days, **more}


@pytest.mark.parametrize("kind", [*KINDS[1:], "published_stale", "published_incomplete"])
def test_every_kind_has_words_in_both_languages(kind):
    said = weights_said(made({kind: 7}, replica_weights_sum=0.4231, replica_weights_age=140))
    assert said
    assert said.zh != said
    assert "{" not in said + said.zh


def test_several_kinds_say_their_days():
    said = weights_said(made({"estimated": 300, "float_cap": 20}))
    assert said.startswith("estimated")
    assert "(300 of 320 days); derived from float capitalisation and membership (20 of 320 days)" in said
    assert "（320天中300天）" in said.zh


def test_what_is_missing_is_said():
    said = weights_said(made({"published_incomplete": 7}, replica_weights_sum=1.0, replica_weights_missing=290))
    assert said == "published, incomplete: they sum to 1.00, wanted 1, 290 members missing"
    assert said.zh.endswith("缺少290只成分股")


def test_runs_of_before_say_what_they_said():
    assert weights_said({"replica_weights": "derived"}) == "derived from float capitalisation and membership"
    assert weights_said({}) is None


def test_the_page_warns_of_flawed_weights_beside_their_portfolio(make_content):
    content = make_content()
    flawed = made({"published_incomplete": 3, "published_stale": 7}, replica_weights_sum=0.87, replica_weights_age=140)
    portfolios = tuple(replace(p, summary=p.summary | flawed) for p in content.portfolios[:1])
    found = cautions(replace(content, portfolios=portfolios))
    assert any("not the whole index" in one and "sum to 0.87" in one for one in found)
    assert any("up to 140 days old" in one for one in found)
    whole = made({"published": 10})
    sound = tuple(replace(p, summary=p.summary | whole) for p in content.portfolios[:1])
    said = cautions(replace(content, portfolios=sound))
    assert not any("not the whole index" in one or "days old" in one for one in said)


def test_the_page_names_estimated_indices(make_content):
    content = make_content()
    kinds = {"000300.SH": "estimated", "000905.SH": "float_cap", "000852.SH": "published"}
    market = {**content.environment["market"], "index_weights": kinds}
    found = cautions(replace(content, environment={**content.environment, "market": market}))
    (estimated,) = [one for one in found if "are not delivered but estimated" in one]
    (derived,) = [one for one in found if "are not delivered but derived" in one]
    assert "CSI 300" in estimated
    assert "CSI 500" not in estimated
    assert "CSI 500" in derived
    assert "CSI 1000" not in estimated + derived


def test_what_the_replica_made_is_not_called_dividends(make_content):
    """An excess 4 points below that over the replica is a replica that strays, whatever dividends it earned."""
    content = make_content()
    market = {**content.environment["market"], "simulated": False}
    whole = {"excess": 0.02, "excess_replica": 0.06, "replica_tracking_error": 0.03}
    portfolios = tuple(
        replace(p, summary={**p.summary, **made({"estimated": 480}), "all": p.summary["all"] | whole})
        for p in content.portfolios
    )
    shown = replace(content, portfolios=portfolios, environment={**content.environment, "market": market})
    sentences = drivers.drivers(shown).sentences()["drivers"]
    (replica,) = [one for one in sentences if one.startswith("The replica that the optimiser saw")]
    assert "it made −4.00% a year against the published price index, with a tracking error of 3.00%" in replica
    assert "相对公布的价格指数每年−4.00%" in replica.zh
    (weights,) = [one for one in sentences if one.startswith("Index weights:")]
    assert "estimated" in weights
    assert not any("holds the portfolio's dividends" in one for one in sentences)
