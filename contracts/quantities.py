"""Quantities as people write them in a sweep file: ``1%``, ``2h``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_PERCENT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")
_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|min|h|d)\s*")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def _fraction(value: Any) -> Any:
    """``1%`` and ``0.01`` are the same double, so that they hash alike."""
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value)
        value = float(Decimal(found[1]) / 100) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(
            "must be a percentage between 0% and 100%, such as 1%, or its fraction, such as 0.01"
        )
    return float(value)


def _duration_s(value: Any) -> Any:
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        value = float(Decimal(found[1]) * _SECONDS[found[2]]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of seconds, or a time such as 90min, 2h or 1d")
    return float(value)


_WrittenFraction = (
    Annotated[float, Field(gt=0, lt=1)] | Annotated[str, Field(pattern=f"^{_PERCENT.pattern}$")]
)
_WrittenDuration = (
    Annotated[float, Field(gt=0, le=365 * 86_400)] | Annotated[str, Field(pattern=f"^{_DURATION.pattern}$")]
)

Fraction = Annotated[float, BeforeValidator(_fraction, json_schema_input_type=_WrittenFraction)]
"""Between 0 and 1; written as such or in per cent."""

Duration = Annotated[
    float,
    BeforeValidator(_duration_s, json_schema_input_type=_WrittenDuration),
    Field(gt=0, le=365 * 86_400),
]
"""s; written as such or with its unit: s, min, h, d."""
