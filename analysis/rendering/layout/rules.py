"""How to read the report: every rule and formula behind its figures."""

from __future__ import annotations

from collections.abc import Iterator

from analysis import cold, comparisons, host_effects, main_effects, validity
from analysis.findings import spread
from analysis.models import SweepSummary
from analysis.rendering.document import Bullet, Bullets, Section
from analysis.rendering.layout.load import RULES as LOAD_RULES
from analysis.rendering.layout.words import ESTIMATOR
from analysis.rendering.numbers import ABSENT
from analysis.statistics.intervals import BOOTSTRAP_FROM, MEDIAN_FROM
from analysis.statistics.outliers import FENCES_FROM

_RATES = Bullet(
    "two definitions, both named. Σ tokens / Σ eval time weighs every token alike; the mean of the calls' rates weighs every "
    "call alike. They differ where slow calls are longer or shorter than fast ones. The ratio of sums is the first over all "
    "calls of all complete runs.",
    "Mean of rates, ratio of sums",
)
_INTERVALS = Bullet(
    f"of 95 %. Of a mean: Student's t (1908) below {BOOTSTRAP_FROM} runs, from there on the BCa bootstrap (Efron 1987) with a "
    f"fixed seed, which need not be symmetric; then both ends are printed instead of ±. Of a median: order statistics, from {MEDIAN_FROM} "
    "runs on. Of runs until precise: a repeated confidence interval (Jennison and Turnbull 1989), which holds at whichever run "
    "one stops. None, where all values are equal or there is one run.",
    "Intervals",
)
_DIGITS = Bullet(
    "a figure with an interval has as many decimals as the interval's half-width has with two significant digits; one "
    "without has 2. Digits beyond that would be others at the next repetition.",
    "Digits",
)
_ORDER = Bullet(
    "definition 7 of Hyndman and Fan (1996), the default of numpy and R. IQR is the third quartile less the first. A tail "
    "percentile is printed only where there are as many runs as LoadGen (MLPerf) asks for.",
    "Median, quartiles, percentiles",
)
_DETECTABLE = Bullet(
    "the true difference that a test at the level of the correction shows with a probability of 80 %, given these runs and their "
    'spread. It says what "no difference shown" leaves open.',
    "Smallest that would have been shown",
)
_OUTLIERS = Bullet(
    f"runs beyond 1.5 interquartile ranges from the quartiles (Tukey 1977), from {FENCES_FROM} runs on. They are shown and stay in "
    "every figure.",
    "Outlier runs",
)
_LIMITS = Bullet(
    f"CV over runs above {100 * spread.CV_LIMITS['throughput_tok_s']:g} % (throughput) or {100 * spread.CV_LIMITS['ttft_ms']:g} % (TTFT); rules of thumb. Wide: "
    f"the interval's half-width is above {100 * spread.HALF_WIDTH:g} % of the mean. Two groups: from {spread.BIMODAL_FROM} runs on, the largest gap "
    f"between neighbours is above half of the range, with at least a quarter of the runs on either side. How many more runs it "
    "takes is told for the spread as seen: a plan, no promise.",
    "Unstable",
)
_GROUNDING = Bullet(
    "numbers, file counts, dates and file names of the model's valid texts, against the ingested data and the measured "
    "results. Contradicted: the data hold another value for the same thing. Not found: the data don't hold it; it may be "
    "true of something else. The rate per run is a metric: the fraction contradicted or not found.",
    "Grounding",
)
_ITL = Bullet(
    "(last frame − first frame) / tokens after the first frame, of each call. Of single gaps only where the tokens of each frame are "
    "known: told by the server, or one each, where it sent as many frames as tokens.",
    "ITL",
)
_APPLIED = Bullet(
    "what the server itself said of each call comes first, then what it said of the loaded model, then the model's "
    "limits. Where none of them tells, nothing is claimed.",
    "Applied parameters",
)
_TELEMETRY = Bullet(
    "means over valid calls, sampled during each. A call's energy holds the prompt's processing, a load of the model "
    "and the GPU's idle draw.",
    "Telemetry",
)


def rules_section(summary: SweepSummary) -> Section:
    """Return the last section of the report; rules of what it does not show are left out."""
    return Section(
        "How to Read This",
        (Bullets((*_calls(summary), *_statistics(summary), *_figures(summary))),),
        anchor="how-to-read-this",
    )


def _calls(summary: SweepSummary) -> Iterator[Bullet]:
    yield Bullet(validity.RULE, "Validity rule")
    yield Bullet(cold.RULE, "Cold rule")
    yield Bullet(
        "an answer that is complete and worth nothing: empty, too short (fewer words than the workload asks for), or "
        "ending in a repetition. It is an outcome with its own rate, and no measurement.",
        "Degenerate",
    )
    yield Bullet(
        "every call of every run in one pool, failed ones included: the mean of per-call figures, and sums. "
        "This is the arithmetic of earlier Chimera reports; its ± is over calls, not over runs.",
        "As recorded",
    )


def _statistics(summary: SweepSummary) -> Iterator[Bullet]:
    some = summary.configurations
    yield Bullet(
        "one figure per complete run, then mean and sd over these runs. The run is the unit of replication: only "
        "this spread tells how well a repetition reproduces. Throughput of a run: Σ tokens / Σ eval time over its "
        "calls, where the server reports both; else the mean of its calls' rates. TTFT of a run: mean of its "
        "calls that are not known to be cold. A run with an excluded call is another mix of stages and is left "
        "out here; its valid calls are in the pooled figures.",
        "Over runs",
    )
    yield _RATES
    yield Bullet(
        f"after a mean of calls, {ESTIMATOR[summary.sd]}; in tables over runs that say so, half of the 95 % interval. One value alone "
        "has neither. CV = sd / mean.",
        "±",
    )
    yield from (_INTERVALS, _DIGITS, _ORDER)
    if summary.comparisons:
        yield Bullet(comparisons.RULE, "Comparisons")
        yield _DETECTABLE
    if summary.main_effects:
        yield Bullet(main_effects.RULE, "Main effects")
    if summary.host_effects:
        yield Bullet(host_effects.RULE, "Slots")
    if any(c.outliers for c in some):
        yield _OUTLIERS
    yield _LIMITS
    if any(c.grounding is not None for c in some):
        yield _GROUNDING


def _figures(summary: SweepSummary) -> Iterator[Bullet]:
    some = summary.configurations
    if summary.loads:
        yield from LOAD_RULES
    yield Bullet(
        "client wall time from sending the request to the first non-empty piece of the answer's text. That of "
        "reasoning text, which is no part of the answer, is told apart.",
        "TTFT",
    )
    if any(c.conditions and c.conditions.itl_mean_ms.n for c in some):
        yield _ITL
    yield Bullet(
        "tokens / eval duration, both as the server reports them (llama.cpp's time covers all tokens but the first: then those); "
        "where it reports no eval duration, the rate that the client saw, which a note then says.",
        "Throughput",
    )
    yield Bullet("client wall time from sending the request to the end of the stream.", "Duration")
    yield Bullet("as the server reports them.", "Tokens, prompt eval, eval and load durations")
    if any(c.applied for c in some):
        yield _APPLIED
    if any(c.telemetry for c in some):
        yield _TELEMETRY
    yield Bullet("not known, or too few values. It is never a 0. n says how many values were known.", ABSENT)
