"""What findings are called, for finding and advice alike."""

from __future__ import annotations

from typing import Final

from analysis.metrics import BY_SHORT
from analysis.models import Finding

_TITLES: Final[dict[str, str]] = {
    "no-effect-shown:axes": "No effect shown",
    "incomplete-runs": "Runs are incomplete",
    "load-beyond-capacity": "Load beyond capacity",
    "saturation-out-of-range": "Saturation outside the search's range",
    "saturation-not-monotonic": "Saturation not monotonic",
    "requests-sent-late": "Requests sent late",
    "requests-failed-under-load": "Requests failed under load",
    "concurrency-not-reached": "Concurrency not reached",
    "load-without-a-window": "Load without a window",
    "too-few-requests-for-p99": "Too few requests for p99",
    "suspect-requests-of-a-load": "Suspect requests of a load",
    "answers-shorter-than-asked": "Answers shorter than asked",
    "agents-slowed-down": "Agents slowed down",
    "agents-not-measured-alone": "Agents not measured alone",
    "agents-hardly-overlap": "Agents hardly overlap",
    "agents-unfair": "Agents served unevenly",
    "agents-works-differ": "Agents' works differ",
    "agents-wrote-other-lengths-alone": "Other lengths together than alone",
    "degenerate-output": "Degenerate answers",
    "failures-aborted": "Aborted calls",
    "failures-server-error": "Server errors",
    "failures-timeout": "Time limits passed",
    "failures-connection": "Lost connections",
    "failures-lost": "Lost jobs",
    "pools-mixed": "Pools are mixed",
    "servers-differ": "Servers differ",
    "digests-differ": "Model digests differ",
    "hosts-several": "Several hosts",
    "slots-unequal": "Configurations met different slots",
    "contexts-differ": "Context lengths differ",
    "layers-kept": "GPU layers of another configuration",
    "prompts-differ": "Prompt lengths differ",
    "inert-axis": "Inert axis",
    "inert-axis-moves": "An inert axis seems to matter",
    "sampler-without-effect": "Sampler setting without effect",
    "throttling": "GPU throttled",
    "host-busy": "Host busy",
    "cold-start-mixed": "Cold calls among warm ones",
    "suspect-calls": "Suspect calls",
    "not-calibrated": "Slots not calibrated",
    "floor-of-another-clock": "Floor of another clock",
    "floor-of-another-host": "Floor of another host",
    "floor-large": "Large measurement floor",
    "floor-reached": "Differences below the measurement floor",
    "few-runs": "Too few runs",
    "precision-not-reached": "Asked precision not reached",
    "trend-over-runs": "Trend over runs",
    "drift": "Drift of the sweep",
    "outlier-runs": "Outlier runs",
    "ungrounded-text": "Figures not grounded",
    "methods-mixed": "Several definitions of throughput",
    "truncated": "Truncated answers",
    "retries": "Retried calls",
    "cancelled": "Ended before its time",
    "taken-back": "Jobs taken back",
    "later-attempts": "Measured again",
    "whole-plots": "Models loaded plot by plot",
    "divided-loads": "Loads divided over slots",
    "several-identities": "Several configurations under one name",
    "clocks-disagree": "Server and client disagree on the rate",
    "unload-failed": "Model not unloaded",
    "cpu-steal": "CPU time stolen",
    "short-answer": "Short answers",
    "no-throughput": "Calls without throughput",
    "different-texts": "Texts differ in spite of the seed",
    "cold-unknown": "Cold or warm not known",
    "prompt-cache": "Prompts from the cache",
    "client-rate": "Rates measured by the client",
    "outcome-inferred": "Inferred outcomes",
}
_OF_A_METRIC: Final[dict[str, str]] = {
    "best:": "Best {}",
    "matters:": "What matters for {}",
    "wide-interval-": "Wide interval of {}",
    "unstable-": "Unstable {}",
    "bimodal-": "Two groups of {}",
}


def title(finding: Finding) -> str:
    """``CPU time stolen``, ``Slot gpu-7 is slow``; a rule that is not known here goes by its own name."""
    if finding.rule == "slot-outlier":
        return _slot(finding.text)
    if finding.rule in _TITLES:
        return _TITLES[finding.rule]
    for prefix, words in _OF_A_METRIC.items():
        metric = BY_SHORT.get(finding.rule.removeprefix(prefix))
        if metric is not None and finding.rule.startswith(prefix):
            return words.format(metric.title if metric.title.isupper() else metric.title.lower())
    return finding.rule.replace("-", " ").replace(":", " ").capitalize()


def _slot(text: str) -> str:
    name, _, rest = text.partition(" is ")
    how = "is slow" if " slower than " in rest else "is fast" if " faster than " in rest else "stands apart"
    return f"{name[:1].upper()}{name[1:]} {how}"
