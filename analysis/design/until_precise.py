"""Run until precise: another run only for the configurations whose figures are not known well enough yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from analysis.design.fixed import missing_blocks
from analysis.design.protocol import Block, Decision, Known, Measured, Request
from analysis.design.reached import known_values, precision, value_of
from analysis.formatting import two_digits
from analysis.metrics import BY_KEY
from analysis.models import OverRuns, RunFigures
from analysis.models.statistics import Precision
from contracts.configuration import Configuration
from contracts.manifest import Standing, Stopped
from contracts.sweep import RunsSpec

HOPELESS_AT_FIRST = 3
"""A configuration of which so many runs, all that it has, tell nothing of a metric gets no more: it would go on to
``max`` for nothing."""
HOPELESS_IN_A_ROW = 5
"""The same of its newest runs, where earlier ones told it: one in four may fail (0.25⁵ is 0.1 %)."""
EQUAL_RUNS = 3
"""A metric that is equal in so many runs has no spread that more runs could show."""

Judge = Callable[[OverRuns, Mapping[str, float], int], tuple[Precision, ...]]


class UntilPrecise:
    """``min`` blocks of all configurations, then block by block of those that still need runs.

    A configuration stops when every metric of ``until`` is precise (or shows no spread at all), when it has ``max``
    runs, or when it is hopeless; all stop when the next block, as a whole, would go beyond a limit of the sweep. None has fewer than
    ``min`` runs, whatever the limits.
    """

    def __init__(
        self, configurations: Sequence[Configuration], spec: RunsSpec, judge: Judge = precision
    ) -> None:
        self._configurations = tuple(configurations)
        self._spec = spec
        self._until: dict[str, float] = {str(name): target for name, target in spec.until.items()}
        self._judge = judge
        self._known = Known()
        self._entries: dict[str, tuple[Precision, ...]] = {}

    def tell(self, known: Known) -> None:
        self._known = known
        self._entries = {
            configuration_id: self._judge(measured.over_runs, self._until, self._spec.max)
            for configuration_id, measured in known.measured.items()
            if measured.runs >= self._spec.min
        }

    def ask(self) -> tuple[Block, ...]:
        first = missing_blocks(self._configurations, self._known, self._spec.min)
        if first:
            return first
        standings = zip(self._configurations, self.decide().standings, strict=True)
        block = tuple(Request(c, standing.runs + 1) for c, standing in standings if standing.more)
        return (block,) if block else ()

    def decide(self) -> Decision:
        standings = [self._standing(c) for c in self._configurations]
        needy = [standing for standing in standings if standing.more]
        if not needy:
            return Decision(finished=True, why=_in_words(standings), standings=tuple(standings))
        why = self._needs(needy)
        limit = None
        if all(standing.runs >= self._spec.min for standing in standings):
            limit = self._limit(len(needy))
        if limit is None:
            return Decision(finished=False, why=why, standings=tuple(standings))
        stopped, said = limit
        ended = tuple(
            s.model_copy(update={"more": False, "stopped": stopped, "why": f"{s.why}; {said}"})
            if s.more
            else s
            for s in standings
        )
        return Decision(finished=True, why=f"{why}, but {said}", standings=ended)

    def _standing(self, configuration: Configuration) -> Standing:
        name, spec = configuration.name, self._spec
        entries, found = self._entries.get(configuration.id), self._known.measured.get(configuration.id)
        if entries is None or found is None:
            runs = self._known.runs(configuration)
            return Standing(
                configuration=name, runs=runs, more=True, why=f"{runs} of at least {spec.min} runs"
            )
        stopped: Stopped | None = None
        why = _reached(_worst(entries))
        silent = _silent(found, entries)
        open_ = [entry for entry in entries if not entry.reached and not _without_spread(found, entry)]
        if not open_:
            stopped = "precise" if all(entry.reached for entry in entries) else "no spread"
            why = ", ".join(_reached(entry) if entry.reached else _equal(found, entry) for entry in entries)
        elif found.runs >= spec.max:
            stopped, why = "most runs", f"{why}; {spec.max} runs are the most"
        elif silent is not None:
            stopped, why = "hopeless", silent
        return Standing(configuration=name, runs=found.runs, more=stopped is None, stopped=stopped, why=why)

    def _limit(self, jobs: int) -> tuple[Stopped, str] | None:
        """Return which limit of the sweep forbids a block of so many jobs, and in words; ``None``: none does."""
        spec, known = self._spec, self._known
        if spec.max_jobs is not None and known.jobs + jobs > spec.max_jobs:
            return "most jobs", f"{known.jobs + jobs} jobs would be more than max_jobs {spec.max_jobs}"
        if spec.max_time is not None and known.spent_s >= spec.max_time:
            return "time", f"the sweep has run for {known.spent_s:.0f} s and max_time is {spec.max_time:g} s"
        return None

    def _needs(self, needy: Sequence[Standing]) -> str:
        """Say how many still need runs, with the one that is furthest from what was asked as the example."""
        ids = {c.name: c.id for c in self._configurations}

        def distance(standing: Standing) -> float:
            entries = self._entries.get(ids[standing.configuration])
            return float("inf") if entries is None else _ratio(_worst(entries))

        example = max(needy, key=distance)
        total = len(self._configurations)
        noun = "configuration" if total == 1 else "configurations"
        verb = "needs" if len(needy) == 1 else "need"
        return f"{len(needy)} of {total} {noun} still {verb} runs ({example.why})"


def _in_words(standings: Sequence[Standing]) -> str:
    counts = Counter(standing.stopped for standing in standings)
    words: dict[Stopped, str] = {
        "precise": "precise",
        "no spread": "without any spread",
        "most runs": "stopped at the most runs",
        "hopeless": "stopped as hopeless",
    }
    said = [f"{counts[kind]} {text}" for kind, text in words.items() if counts[kind]]
    return f"of {len(standings)} configuration{'s' * (len(standings) != 1)}: {', '.join(said)}"


def _silent(measured: Measured, entries: Sequence[Precision]) -> str | None:
    """Say which metric the runs do not tell, or no longer; ``None``: each is told."""
    complete = [run for run in measured.over_runs.runs if run.complete]
    if _is_silent(measured, [run.run for run in complete]):
        return f"none of {_newest(measured, complete)} is complete"
    for metric in (BY_KEY[entry.metric] for entry in entries if not entry.reached):
        telling = [run for run in complete if value_of(run, metric) is not None]
        if _is_silent(measured, [run.run for run in telling]):
            return f"none of {_newest(measured, telling)} tells {metric.short}"
    return None


def _is_silent(measured: Measured, telling: Sequence[int]) -> bool:
    """Whether the numbers of the runs that tell something leave no hope."""
    newest = max(telling, default=0)
    return measured.runs - newest >= (HOPELESS_IN_A_ROW if newest else HOPELESS_AT_FIRST)


def _newest(measured: Measured, telling: Sequence[RunFigures]) -> str:
    newest = max((run.run for run in telling), default=0)
    return f"its last {measured.runs - newest} runs" if newest else f"its {measured.runs} runs"


def _without_spread(measured: Measured, entry: Precision) -> bool:
    """Whether a metric is equal in every run, as a simulated server's may be: no number of runs makes an interval."""
    values = known_values(measured.over_runs.runs, BY_KEY[entry.metric])
    return len(values) >= EQUAL_RUNS and min(values) == max(values)


def _equal(measured: Measured, entry: Precision) -> str:
    metric = BY_KEY[entry.metric]
    return f"{metric.short} is equal in all {len(known_values(measured.over_runs.runs, metric))} runs"


def _worst(entries: Sequence[Precision]) -> Precision:
    return max(entries, key=lambda entry: (not entry.reached, _ratio(entry)))


def _ratio(entry: Precision) -> float:
    return float("inf") if entry.reached_percent is None else entry.reached_percent / entry.target_percent


def _reached(entry: Precision) -> str:
    short = BY_KEY[entry.metric].short
    if entry.reached_percent is None:
        return f"{short} not known to ±{entry.target_percent:g} % yet"
    sign = "≤" if entry.reached else ">"
    return f"{short} ±{two_digits(entry.reached_percent)} % {sign} {entry.target_percent:g} %"
