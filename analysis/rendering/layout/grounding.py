"""Whether the model's figures agree with the data: rates, and each one that does not."""

from __future__ import annotations

from analysis.findings.phrases import share
from analysis.models import ConfigurationSummary, Figure, TextGrounding
from analysis.rendering.document import Paragraph, Row, Section, Table, TextMark
from analysis.rendering.numbers import ABSENT, plural

_MOST = 50
_KINDS = {"number": "number", "file_count": "file count", "date": "date", "file_name": "file name"}
_VERDICTS = {"supported": "supported", "contradicted": "contradicted", "not_found": "not found"}


def grounding_sections(c: ConfigurationSummary) -> tuple[Section, ...]:
    """Return the section; nothing where no text was checked."""
    rate = c.grounding
    if rate is None:
        return ()
    if not rate.figures:
        return (Section("Grounding", (Paragraph(f"No figure in {plural(rate.texts, 'checked text')}."),)),)
    words = (
        f"{plural(rate.figures, 'figure')} in {plural(rate.texts, 'text')}: {rate.supported} supported ({share(rate.supported / rate.figures)}), "
        f"{rate.contradicted} contradicted ({share(rate.contradicted / rate.figures)}), {rate.not_found} not found in the data "
        f"({share(rate.not_found / rate.figures)})."
    )
    wrong = [
        (text, figure)
        for verdict in ("contradicted", "not_found")
        for text in c.groundings
        for figure in text.figures
        if figure.verdict == verdict
    ]
    if not wrong:
        return (Section("Grounding", (Paragraph(words),)),)
    header = ("Run", "Stage", "Figure", "Kind", "Verdict", "Truth", "In the words")
    table = Table(header, "rllllll", tuple(_row(text, figure) for text, figure in wrong[:_MOST]))
    more = (
        (Paragraph(f"… and {len(wrong) - _MOST} more: summary.json names them all."),)
        if len(wrong) > _MOST
        else ()
    )
    return (Section("Grounding", (Paragraph(words), table, *more)),)


def grounding_of(c: ConfigurationSummary, run: int, stage: str | None) -> TextGrounding | None:
    """Return what was found in one text; ``None``: it was not checked."""
    return next((text for text in c.groundings if (text.run, text.stage) == (run, stage)), None)


def marks(grounding: TextGrounding | None) -> tuple[TextMark, ...]:
    """Return the marks of every figure of a text."""
    if grounding is None:
        return ()
    return tuple(
        TextMark(figure.start, figure.end, figure.verdict, figure.truth or "") for figure in grounding.figures
    )


def checked_words(grounding: TextGrounding) -> str:
    """``12 figures checked against the data: 3 supported, …``."""
    counts = ", ".join(
        f"{sum(figure.verdict == verdict for figure in grounding.figures)} {word}"
        for verdict, word in _VERDICTS.items()
    )
    return f"{plural(len(grounding.figures), 'figure')} checked against the data: {counts}."


def _row(text: TextGrounding, figure: Figure) -> Row:
    cells = (
        str(text.run),
        text.stage,
        figure.figure,
        _KINDS[figure.kind],
        _VERDICTS[figure.verdict],
        figure.truth or ABSENT,
        figure.context,
    )
    return Row(cells, tone="bad" if figure.verdict == "contradicted" else "")
