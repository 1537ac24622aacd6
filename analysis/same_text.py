"""Does greedy decoding with a fixed seed give the same text again?"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.models import SameText
from analysis.table import Calls
from contracts.call import Outcome


def same_text(calls: Calls, asked: Mapping[str, int | float] | None) -> tuple[SameText, ...]:
    """Count the different texts per stage and slot, where a seed and temperature 0 were asked for.

    Only complete texts of different runs are compared, degenerate and suspect calls' included: a late
    arrival changes no text.
    """
    if asked is None or "seed" not in asked or asked.get("temperature") != 0:
        return ()
    found: dict[tuple[str, str | None], list[str]] = {}
    for stage, slot, outcome, text_hash in zip(
        calls.stage, calls.slot, calls.judged, calls.text_hash, strict=True
    ):
        if text_hash is not None and (outcome.valid or outcome is Outcome.DEGENERATE):
            found.setdefault((stage, slot), []).append(text_hash)
    return tuple(
        SameText(stage=stage, slot=slot, runs=len(hashes), texts=len(set(hashes)))
        for (stage, slot), hashes in found.items()
        if len(hashes) > 1
    )


def same_text_words(entry: SameText) -> str:
    """``the same text in all 5 runs on slot a``, ``2 different texts in 5 runs on slot a``."""
    where = "" if entry.slot is None else f" on slot {entry.slot}"
    if entry.texts == 1:
        return f"the same text in {'both' if entry.runs == 2 else f'all {entry.runs}'} runs{where}"
    return f"{entry.texts} different texts in {entry.runs} runs{where}"
