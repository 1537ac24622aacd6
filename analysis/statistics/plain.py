"""Small values of which a report holds hundreds of thousands: dataclasses with slots, a third of a model's memory.

They are validated where they are read as a part of a model, as strictly as :class:`contracts.base.Strict`.
"""

from __future__ import annotations

from typing import Final

from pydantic import ConfigDict

STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Of a dataclass: its ``__pydantic_config__``."""
