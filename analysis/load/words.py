"""What is said of a load and of where a server saturates: sections and findings say the same."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.formatting import decimals, ends, plural, two_digits
from analysis.load.bounds import within
from analysis.models.load import Knee, LoadConfiguration, Over, Saturation
from contracts.workloads import Slo

UNIT: dict[Over, str] = {"rate": "requests/s", "concurrency": "requests at a time"}


def level_words(asked: float | None, over: Over | None) -> str:
    """``8 requests at a time``, ``2.5 requests/s``, ``1 request/s``."""
    if asked is None or over is None:
        return "a load that is not recorded"
    unit = UNIT[over].replace("requests", "request", 1) if asked == 1 else UNIT[over]
    return f"{asked:.6g} {unit}"


def slo_words(slo: Slo) -> str:
    """``TTFT ≤ 500 ms, ITL ≤ 50 ms``."""
    limits = (("TTFT", slo.ttft_ms), ("ITL", slo.itl_ms), ("latency", slo.latency_ms))
    return ", ".join(f"{name} ≤ {limit:g} ms" for name, limit in limits if limit is not None)


def kept_words(load: LoadConfiguration) -> str:
    """``2 of 3 runs``, ``1 of 1 run (2 can't tell)``: in how many runs the server kept up."""
    blind = load.runs - load.can_tell
    return f"{load.kept_up} of {plural(load.can_tell, 'run')}" + (f" ({blind} can't tell)" if blind else "")


def sentences(saturations: Sequence[Saturation]) -> list[str]:
    """What all loads of a sweep say, a sentence each: where they saturate, and from where on the output grows no more."""
    said = [words for s in saturations if (words := saturation_words(s)) is not None]
    return said + [words for s in saturations if (words := knee_words(s)) is not None]


def answer(saturations: Sequence[Saturation]) -> str:
    """The same in one line."""
    return " ".join(sentences(saturations)) or "What the server keeps up with can't be told from these loads."


def saturation_words(s: Saturation) -> str | None:
    """The answer in one sentence; ``None``: keeping up is no question of this load (its knee is)."""
    if s.method is None:
        return None
    who = f"{s.label}: the server" if s.label else "The server"
    within = " within the SLO" if s.slo else ""
    if not s.runs:
        return f"{who} did not tell whether it keeps up: no complete run has a window to judge by."
    said = _of_search(s) if s.method == "search" else _of_grid(s)
    odd = "" if s.monotonic else f" {_ODD}"
    return f"{who} {said.format(within=within)}.{odd}"


def knee_words(s: Saturation) -> str | None:
    """From where on output grows no more; ``None``: there is nothing to say."""
    knee = s.knee
    if knee is None:
        return None
    who = f"{s.label}: output" if s.label else "Output"
    if knee.at is None:
        return f"{who} tokens per second: from which load on they grow no more can't be told ({knee.why})."
    if knee.highest:
        return (
            f"{who} tokens per second still grew up to {level_words(knee.at, s.over)}, the highest load asked for: "
            "more users would show where that ends."
        )
    return (
        f"{who} tokens per second are not shown to grow by more than {knee.worth_percent:g} % beyond {level_words(knee.at, s.over)}"
        f"{_power(knee)}."
    )


_ODD = (
    "A higher load was kept up with than one that was not: the answer counts the lower one, and the noise between loads is larger "
    "than their distance."
)


def _of_search(s: Saturation) -> str:
    some = s.runs < s.complete
    runs = f"the {s.runs} of {plural(s.complete, 'run')} that tell" if some else plural(s.runs, "run")
    unit = UNIT[s.over]
    if s.low is None and s.high is None:
        return (
            f"keeps up{{within}} with the lowest load of the search in some of {runs} and not in others, or with the highest: "
            "the search's range does not hold the answer"
        )
    if s.high is None:
        return f"keeps up{{within}} with at least {level_words(s.low, s.over)}: not every search of {runs} found a load that is too much"
    if s.low is None:
        return (
            f"keeps up{{within}} with less than {level_words(s.high, s.over)}: not every search of {runs} found a load that it "
            "keeps up with"
        )
    ends_ = f"between {s.low:.6g} and {s.high:.6g} {unit}"
    if s.runs == 1:
        where = (
            f"in the only search that tells (of {plural(s.complete, 'run')})"
            if some
            else "in the only run's search"
        )
    else:
        where = f"in the searches of {runs if some else f'all {runs}'}"
    where = f"{where}: {ends_}"
    if s.mid.mean is None:
        return f"saturates{{within}} {where}"
    interval = within(s.mid.mean_interval)
    places = decimals(interval)
    known = f" (95 % interval {ends(interval)})" if interval else ""
    return f"saturates{{within}} at {s.mid.mean:.{places}f} {unit}{known}, the mean of the searches' middles; {where}"


def _of_grid(s: Saturation) -> str:
    if s.low is None and s.high is None:
        return "did not tell whether it keeps up{within}"
    if s.high is None:
        only = "the only load asked for" if len(s.asked) == 1 else "the highest load asked for"
        return f"keeps up{{within}} with at least {level_words(s.low, s.over)}, {only}, {_every(s)}"
    if s.low is None:
        only = "the only load asked for" if len(s.asked) == 1 else "the lowest load asked for"
        if s.high == min(s.asked):
            return (
                f"keeps up{{within}} with less than {level_words(s.high, s.over)}, {only}: not every run did"
            )
        return f"did not in every run keep up{{within}} with {level_words(s.high, s.over)}; of lower loads none can tell"
    return (
        f"keeps up{{within}} with {level_words(s.low, s.over)} {_every(s)}, and with {level_words(s.high, s.over)} not in every one: "
        "it saturates between"
    )


def _every(s: Saturation) -> str:
    """In which runs it kept up with the load ``low``."""
    if s.low_runs < s.complete:
        return f"in every run that tells ({s.low_runs} of {s.complete})"
    return "in every run"


def _power(knee: Knee) -> str:
    if knee.detectable_percent is None:
        return ""
    return f" (a true growth of {two_digits(knee.detectable_percent)} % to the next load would have been shown with a probability of 80 %)"
