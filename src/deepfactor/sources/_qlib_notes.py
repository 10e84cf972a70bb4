"""What a reader must know of a market that is made of a qlib data folder."""

from __future__ import annotations

from deepfactor.core.words import Sentence
from deepfactor.sources._basis import NO_ADJUSTMENT
from deepfactor.store.checks.basis import Basis

RAW = Sentence(
    "raw prices are qlib's divided by factor, rounded to 0.01; raw volumes times factor, whole shares",
    "原始价格＝qlib价格÷factor，取整到0.01元；原始成交量＝qlib成交量×factor，取整到股",
)
ADJUSTED = Sentence(
    "there is no field factor: prices and volumes stay adjusted, so price limits and lots are off",
    "没有factor字段：价格与成交量保持复权状态，涨跌停价与每手股数不准确",
)
STRANGE = Sentence("symbols that are no A-shares ({codes})", "非A股代码（{codes}）")
UNREAD = Sentence("fields that are not read: {fields}", "未读取的字段：{fields}")
UNKNOWN = Sentence(
    "files in instruments/ of no known index, not read: {files}", "instruments/中不属于已知指数、未读取的文件：{files}"
)
NO_VALUE = Sentence(
    "{n} stock-days inside a span hold no value: no row, not traded",
    "区间之内没有数值的{n}个股票日：没有记录，视为未交易",
)
ENDS = {
    "delisted": Sentence("the end of {n} spans is taken as delisting", "{n}个区间的结束视为退市"),
    "unknown": Sentence(
        "the end of {n} spans is left unexplained (ends = unknown)", "{n}个区间的结束原因不明（ends = unknown）"
    ),
}


def of_prices(basis: Basis) -> str:
    """The note on prices and volumes."""
    return str(NO_ADJUSTMENT if basis.no_adjustment else ADJUSTED if basis.adjusted else RAW)
