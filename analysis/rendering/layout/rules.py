"""How to read the report: every rule and formula behind its figures."""

from __future__ import annotations

from analysis import cold, validity
from analysis.models import SweepSummary
from analysis.rendering.document import Bullet, Bullets, Section
from analysis.rendering.layout.words import ESTIMATOR
from analysis.rendering.numbers import ABSENT


def rules_section(summary: SweepSummary) -> Section:
    """Return the last section of the report."""
    rules = (
        Bullet(validity.RULE, "Validity rule"),
        Bullet(cold.RULE, "Cold rule"),
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
        Bullet("client wall time from sending the request to the first non-empty piece of text.", "TTFT"),
        Bullet(
            "tokens / eval duration, both as the server reports them (llama.cpp's time covers all tokens but the first: then those); where it reports no eval duration, the rate "
            "that the client saw, which a note then says.",
            "Throughput",
        ),
        Bullet("client wall time from sending the request to the end of the stream.", "Duration"),
        Bullet("as the server reports them.", "Tokens, prompt eval, eval and load durations"),
        Bullet("not known, or too few values. It is never a 0. n says how many values were known.", ABSENT),
    )
    return Section("How to Read This", (Bullets(rules),), anchor="how-to-read-this")
