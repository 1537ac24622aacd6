"""How to read the report: every rule and formula behind its figures."""

from __future__ import annotations

from analysis import cold, validity
from analysis.models import SweepSummary
from analysis.rendering.document import Bullet, Bullets, Section
from analysis.rendering.layout.words import ESTIMATOR
from analysis.rendering.numbers import ABSENT

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
    """Return the last section of the report."""
    some = summary.configurations
    rules = (
        Bullet(validity.RULE, "Validity rule"),
        Bullet(cold.RULE, "Cold rule"),
        Bullet(
            "an answer that is complete and worth nothing: empty, too short (fewer words than the workload asks for), or "
            "ending in a repetition. It is an outcome with its own rate, and no measurement.",
            "Degenerate",
        ),
        Bullet(
            "every call of every run in one pool, failed ones included: the mean of per-call figures, and sums. "
            "This is the arithmetic of earlier Chimera reports; its ± is over calls, not over runs.",
            "As recorded",
        ),
        Bullet(
            "one figure per complete run, then mean and sd over these runs. The run is the unit of replication: only "
            "this ± tells how well a repetition reproduces. Throughput of a run: Σ tokens / Σ eval time over its "
            "calls, where the server reports both; else the mean of its calls' rates. TTFT of a run: mean of its "
            "calls that are not known to be cold. A run with an excluded call is another mix of stages and is left "
            "out here; its valid calls are in the pooled figures.",
            "Over runs",
        ),
        Bullet(f"{ESTIMATOR[summary.sd]}. One value alone has none. CV = sd / mean.", "±"),
        Bullet(
            "client wall time from sending the request to the first non-empty piece of the answer's text. That of "
            "reasoning text, which is no part of the answer, is told apart.",
            "TTFT",
        ),
        *([_ITL] if any(c.conditions and c.conditions.itl_mean_ms.n for c in some) else []),
        Bullet(
            "tokens / eval duration, both as the server reports them (llama.cpp's time covers all tokens but the first: then those); where it reports no eval duration, the rate "
            "that the client saw, which a note then says.",
            "Throughput",
        ),
        Bullet("client wall time from sending the request to the end of the stream.", "Duration"),
        Bullet("as the server reports them.", "Tokens, prompt eval, eval and load durations"),
        *([_APPLIED] if any(c.applied for c in some) else []),
        *([_TELEMETRY] if any(c.telemetry for c in some) else []),
        Bullet("not known, or too few values. It is never a 0. n says how many values were known.", ABSENT),
    )
    return Section("How to Read This", (Bullets(rules),), anchor="how-to-read-this")
