"""What a check says of one figure: the verdict, and the truth or where it stands."""

from __future__ import annotations

from analysis.models.grounding import GroundingVerdict

Judged = tuple[GroundingVerdict, str | None]
NOT_FOUND: Judged = ("not_found", None)
