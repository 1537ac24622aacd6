"""When a complete answer is no answer: empty, too short, or ending in a repetition."""

from __future__ import annotations

from math import ceil

from contracts.call import Degeneration

REPEATED_FRAMES = 31
"""As many equal text frames at the end are a repetition: Ollama's own guard ends a stream there."""
CHARS_OF_A_WORD = 12
"""Some languages write no spaces between words: so many characters are a word at least."""
MAX_UNIT_CHARS = 400
MIN_REPEATS = 8
MIN_REPEATED_CHARS = 160
MIN_REPEATED_SHARE = 0.5


def degeneration(
    pieces: list[str], text: str, min_words: int, at_limit: bool
) -> tuple[Degeneration, str] | None:
    """Return what is wrong with a complete answer, and the reason in words; ``None``: nothing.

    A repetition is one piece of text, up to 400 characters, that stands at least 8 times in a row at the end
    and so makes up at least 160 characters and half of the text; or 31 equal frames at the end. An answer
    that the length limit cut is never too short.
    """
    if not text.strip():
        return "empty", "the answer is empty" if not text else "the answer is nothing but white space"
    frames = repeated_at_end(pieces)
    if frames >= REPEATED_FRAMES:
        return "repetition", f"the last {frames} text frames are equal: {pieces[-1]!r:.40}"
    found = repeated_unit(text)
    if found is not None:
        unit, repeats = found
        share = repeats * len(unit) / len(text)
        return "repetition", f"the answer ends in {repeats} times {unit!r:.60} ({share:.0%} of it)"
    words = max(len(text.split()), len(text) // CHARS_OF_A_WORD)
    if words < min_words and not at_limit:
        return "short", f"the answer has {words} word{'s' * (words != 1)}, fewer than {min_words}"
    return None


def repeated_at_end(pieces: list[str]) -> int:
    """Return how many pieces at the end are equal."""
    count = 0
    for piece in reversed(pieces):
        if piece != pieces[-1]:
            break
        count += 1
    return count


def repeated_unit(text: str) -> tuple[str, int] | None:
    """Return the shortest piece that the text ends in again and again, and how often, by the rule above."""
    # White space behind a repetition is no part of it, unless every piece has it.
    return _repeated_unit(text) or _repeated_unit(text.rstrip())


def _repeated_unit(text: str) -> tuple[str, int] | None:
    if len(text) < MIN_REPEATED_CHARS:
        return None
    needed = max(MIN_REPEATED_CHARS, ceil(MIN_REPEATED_SHARE * len(text)))
    too_short: list[int] = []
    for period in range(1, min(MAX_UNIT_CHARS, len(text) // MIN_REPEATS) + 1):
        # The last repeat may have been cut anywhere: text with the period p has text[i] == text[i + p].
        least = MIN_REPEATS * period
        if any(period % shorter == 0 for shorter in too_short) or not _has_period(text[-least:], period):
            continue
        if _has_period(text[-max(needed, least) :], period):
            return text[-period:], _periodic_suffix(text, period) // period
        too_short.append(period)  # so are its multiples: they reach no further back
    return None


def _has_period(text: str, period: int) -> bool:
    return text[period:] == text[:-period]


def _periodic_suffix(text: str, period: int) -> int:
    """Return the length of the longest suffix that has the period."""
    place = len(text) - 1
    while place >= period and text[place] == text[place - period]:
        place -= 1
    return len(text) - 1 - place + period
