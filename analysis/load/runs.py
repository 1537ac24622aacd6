"""One figure a run of every metric, of a load."""

from __future__ import annotations

from analysis.models import RunFigures
from analysis.table import Calls, Columns
from contracts.workloads import PromptsWorkload


def load_run_figures(
    stages: Columns, calls: Calls, complete: frozenset[int], workload: PromptsWorkload | None
) -> tuple[RunFigures, ...]:
    """Return the figures of each run that has any record, in the order of the runs.

    Args:
        stages: all rows of the configuration, those of the loads as a whole among them.
        calls: the requests, as judged.
        complete: the runs whose load was carried out.
        workload: what was asked: the SLO and the search; ``None``: not known.
    """
    raise NotImplementedError
