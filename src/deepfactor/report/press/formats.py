"""How a number looks: sign, digits, unit. Values are fractions; missing is an en dash."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

MISSING = "–"

# One entry a style; a report names styles, never digits.
_STYLES: dict[str, Callable[[float], str]] = {
    "ic": lambda x: f"{x:.3f}",
    "signed_ic": lambda x: f"{x:+.3f}",
    "ratio": lambda x: f"{x:.2f}",
    "signed": lambda x: f"{x:+.2f}",
    "share": lambda x: f"{100 * x:.1f}%",
    "signed_percent": lambda x: f"{100 * x:+.2f}%",
    "signed_points": lambda x: f"{100 * x:+.3f}%",
    "small_share": lambda x: f"{100 * x:.4f}%",
    "correlation": lambda x: f"{x:.4f}",
    "percent": lambda x: f"{100 * x:.2f}%",
    "turnover": lambda x: f"{x:.1f}×",
    "count": lambda x: f"{x:,.0f}",
    "seconds": lambda x: f"{x:,.1f}",
    "loss": lambda x: f"{x:.4f}",
    "plain": lambda x: f"{x:g}",
}


def number(value: Any, style: str) -> str:
    """`value` in `style`, with a true minus sign; the missing mark for None, NaN and infinities."""
    clean = finite(value)
    if clean is None:
        return MISSING
    text = _STYLES[style](clean)
    # A value that rounds to zero has no sign: "-0.00%" would claim a loss that the digits don't show.
    if not any(c in "123456789" for c in text):
        text = text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def finite(value: Any) -> float | int | None:
    """`value` as a finite Python number (a bool is none), else None."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return None
    if isinstance(value, int):
        return value
    converted = float(value)
    return converted if math.isfinite(converted) else None


def strict(content: Any) -> Any:
    """`content` as JSON can hold it strictly: NaN and infinities become null, tuples lists, dates and others text."""
    if isinstance(content, dict):
        return {str(k): strict(v) for k, v in content.items()}
    if isinstance(content, list | tuple):
        return [strict(v) for v in content]
    if content is None or isinstance(content, bool | str | int):
        return content
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    return str(content)
