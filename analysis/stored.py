"""A configuration's summaries between the callback that makes them and the finaliser that reads them: JSON texts.

There is one for each of its agents, a line each. The runs' figures stand apart, for decisions on further runs need them alone;
the finaliser puts both together again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.models import ConfigurationSummary, OverRuns
from analysis.rendering.json_lines import line_of


def stored(summaries: Sequence[ConfigurationSummary]) -> tuple[str, str]:
    """Return the summaries without their runs, and the figures over runs with them."""
    without = [
        line_of(one.model_copy(update={"over_runs": one.over_runs.model_copy(update={"runs": ()})}))
        for one in summaries
    ]
    return "\n".join(without), "\n".join(line_of(one.over_runs) for one in summaries)


def read_stored(summaries: str | bytes, figures: str | bytes | None) -> Iterator[ConfigurationSummary]:
    """Yield the summaries; without ``figures`` the texts hold the runs themselves."""
    texts = _lines(summaries)
    of_runs = _lines(figures) if figures else [None] * len(texts)
    for text, found in zip(texts, of_runs, strict=True):
        read = ConfigurationSummary.model_validate_json(text)
        yield (
            read
            if found is None
            else read.model_copy(update={"over_runs": OverRuns.model_validate_json(found)})
        )


def _lines(text: str | bytes) -> list[str | bytes]:
    # JSON itself holds no line breaks.
    return list(text.split(b"\n") if isinstance(text, bytes) else text.split("\n"))
