"""A configuration's summary between the callback that makes it and the finaliser that reads it: two JSON texts.

The runs' figures stand apart, for decisions on further runs need them alone; the finaliser puts both together again.
"""

from __future__ import annotations

from analysis.models import ConfigurationSummary, OverRuns
from analysis.rendering.json_lines import line_of


def stored(summary: ConfigurationSummary) -> tuple[str, str]:
    """Return the summary without its runs, and the figures over runs with them."""
    without = summary.over_runs.model_copy(update={"runs": ()})
    return line_of(summary.model_copy(update={"over_runs": without})), line_of(summary.over_runs)


def read_stored(summary: str | bytes, figures: str | bytes | None) -> ConfigurationSummary:
    """Return the summary; without ``figures`` the text holds the runs itself."""
    read = ConfigurationSummary.model_validate_json(summary)
    if not figures:
        return read
    return read.model_copy(update={"over_runs": OverRuns.model_validate_json(figures)})
