from __future__ import annotations

import pytest

from deepfactor.market.indices import canonical, index_named

KNOWN = ("000016.SH", "000300.SH", "000905.SH", "MINE")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        *((name, "000300.SH") for name in ("000300.SH", "csi300", "CSI 300", "csi-300", "HS300", "沪深300", "000300")),
        *((name, "000300.SH") for name in ("399300.SZ", "399300", "sh000300", "SH.000300", "000300.XSHG", "000300.sh")),
        *((name, "000905.SH") for name in ("csi500", "zz500", "中证 500", "399905.SZ")),
        *((name, "000016.SH") for name in ("000016", "SSE 50", "上证50")),
        ("MINE", "MINE"),
        ("mine", "MINE"),
        *((name, None) for name in ("csi1000", "000852", "300", "", "000300.SZ", "csi3000", "沪深", "0003000")),
    ],
)
def test_an_index_by_any_of_its_names(asked, code):
    assert index_named(asked, KNOWN) == code


def test_a_market_that_has_shenzhens_code():
    assert index_named("csi300", ("399300.SZ",)) == "399300.SZ"
    assert index_named("000300.SH", ("399300.SZ",)) == "399300.SZ"


def test_what_fits_two_is_none():
    assert index_named("000001", ("000001.SH", "000001.CSI")) is None
    assert index_named("000001.SH", ("000001.SH", "000001.CSI")) == "000001.SH"
    assert index_named("csi300", ("000300.SH", "399300.SZ")) is None
    assert canonical("000001") == "000001"
