"""Codes that are no A-shares', in words."""

from __future__ import annotations

import pytest

from deepfactor.market.boards import find_board
from deepfactor.market.codes import named, other_form_of, what_is


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("900901.SH", "a B-share"),
        ("200011.SZ", "a B-share"),
        ("510300.SH", "a fund or warrant"),
        ("588000.SH", "a fund or warrant"),
        ("159915.SZ", "a fund"),
        ("161725.SZ", "a fund"),
        ("113050.SH", "a convertible bond"),
        ("123001.SZ", "a convertible bond"),
        ("360001.SH", "a preferred share"),
        ("140001.SZ", "a preferred share"),
        ("730001.SH", "a subscription or vote"),
        ("787001.SH", "a subscription or vote"),
        ("889001.BJ", "a subscription"),
        ("899050.BJ", "an index"),
        ("820001.BJ", "a preferred share"),
        ("400001.BJ", "a delisted company's"),
        ("399300.SZ", "an index"),
        ("000001.SH", "an index, or 000001.SZ with the wrong exchange"),
        ("600000.SZ", "600000.SH with the wrong exchange"),
        ("300750.SH", "300750.SZ with the wrong exchange"),
        ("920001.SH", "920001.BJ with the wrong exchange"),
        ("sh600000", "600000.SH in another form"),
        ("000001.XSHE", "000001.SZ in another form"),
        ("600000", "600000.SH in another form"),
        ("00700.HK", "no code such as 600000.SH"),
        ("H00300.CSI", "no code such as 600000.SH"),
        ("T00018.SH", "no code such as 600000.SH"),
        ("600000.SH\n", "600000.SH in another form"),
        ("６０００００.SH", "no code such as 600000.SH"),
        ("980001.SZ", "of no known kind"),
    ],
)
def test_what_a_code_is(code, words):
    assert find_board(code) is None
    assert what_is(code) == words


@pytest.mark.parametrize("code", ["sh510300", "510300", "830799.NQ", "SH600000SZ", "600000.SH", "sz399300"])
def test_what_is_no_stock_in_another_form(code):
    assert other_form_of(code) is None


def test_the_first_three_are_named():
    assert named({"900901.SH"}) == "900901.SH"
    many = named([f"90090{i}.SH" for i in (4, 2, 3, 1)])
    assert many == "900901.SH, 900902.SH, 900903.SH, …"
