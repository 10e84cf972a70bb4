"""Names of the array types: one meaning, one name, everywhere.

Shapes and units stand where an array is used; the usual axes are days (T), stocks (N), features (K) and portfolios (P).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What is computed: returns, weights, prices in CNY. NaN = missing.
Float64 = NDArray[np.float64]
#: What is stored and trained: fields of a panel, features, exposures. NaN = missing.
Float32 = NDArray[np.float32]
#: Either of them: what a function takes.
Floats = NDArray[np.floating[Any]]

Bools = NDArray[np.bool_]

#: Whole amounts and counts.
Ints = NDArray[np.int64]
#: Stored whole numbers: prices in fen, numbers of days.
Int32 = NDArray[np.int32]
#: Stored codes of industries.
Int16 = NDArray[np.int16]
#: Stored marks: boards, reasons.
Int8 = NDArray[np.int8]
#: Stored codes of ranks.
Bytes = NDArray[np.uint8]
#: Any of them: what a function takes.
Integers = NDArray[np.integer[Any]]
#: Positions on an axis: rows (days) or columns (stocks) to take.
Indices = NDArray[np.intp]

#: Days, datetime64[D], ascending where they are an axis.
Dates = NDArray[np.datetime64]
#: Stocks by exchange-suffixed code (``600000.SH``).
Symbols = NDArray[np.str_]
#: Other words: sides, reasons, names of constraints.
Strings = NDArray[np.str_]

#: Rows with named parts (a structured dtype).
Records = NDArray[np.void]
#: An array of any type, copied, cut or written as it is.
AnyArray = NDArray[Any]
