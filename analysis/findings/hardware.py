"""What the machine did: throttled GPUs, models loaded in between."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.findings.phrases import configs, first_of, mention, several_agents
from analysis.formatting import mean_sd, plural
from analysis.models import ConfigurationSummary, Finding, SweepSummary
from analysis.statistics.estimate import estimate

MIXED = 0.05
"""A mean TTFT that cold calls move by more than this is called mixed."""
BUSY_PERCENT = 90.0
"""Of all CPUs of the host, over a call: nothing is left for the client, and the server waits too."""
BUSY_SHARE = 0.25
"""Of the sampled calls."""


def throttled(summary: SweepSummary) -> Iterator[Finding]:
    found = [(c, held, calls) for c in summary.configurations for held, calls in [_held_back(c)] if held]
    if not found:
        return
    several = several_agents(summary.configurations)
    reasons = sorted(
        {reason for c, *_ in found for stage in c.telemetry for reason in stage.throttle_reasons}
    )
    found.sort(key=lambda entry: -entry[1] / max(entry[2], 1))
    yield Finding(
        rule="throttling",
        severity="warning",
        text=f"a GPU was throttled ({', '.join(reasons) or 'no reason told'}) in {sum(held for _, held, _ in found)} of "
        f"{plural(sum(calls for *_, calls in found), 'call')} of {plural(len(found), 'configuration')}: its rates are those of the limit",
        evidence=first_of(
            [f"{mention(c, several)}: {held} of {calls} calls{_speed(c)}" for c, held, calls in found]
        ),
        advice="Set clocks and power limit on purpose and the same on every GPU (nvidia-smi --lock-gpu-clocks, "
        "--power-limit), see to the cooling where the reason is thermal, and run the sweep anew; or say in each "
        "quotation that it is the throttled rate.",
        configurations=configs(c for c, *_ in found),
    )


def host_busy(summary: SweepSummary) -> Iterator[Finding]:
    """Telemetry is by stage, so that a stage's calls count as busy where their mean is."""
    sampled = [
        (c, stage, mean)
        for c in summary.configurations
        for stage in c.telemetry
        if (mean := stage.cpu_busy_percent.mean) is not None
    ]
    busy = [entry for entry in sampled if entry[2] >= BUSY_PERCENT]
    calls = sum(stage.cpu_busy_percent.n for _, stage, _ in sampled)
    number = sum(stage.cpu_busy_percent.n for _, stage, _ in busy)
    if not busy or number < BUSY_SHARE * calls:
        return
    several = several_agents(summary.configurations)
    mean_busy = sum(mean * stage.cpu_busy_percent.n for _, stage, mean in busy) / number
    busy.sort(key=lambda entry: -entry[2])
    on_gpu = any(stage.gpus for _, stage, _ in busy)
    own = (
        "The model server computes on the GPU, so that most of it is other work: stop that"
        if on_gpu
        else "Where the model server computes on this CPU, a part of it is its own: give it fewer threads than there are cores "
        "(num_thread), keep a core for the client, and stop other work"
    )
    yield Finding(
        rule="host-busy",
        severity="warning",
        text=f"the host was {mean_busy:.0f} % busy during {number} of {plural(calls, 'call')}: server and client shared the CPUs with other work "
        "or with each other",
        evidence=first_of(
            [
                f"{mention(c, several)}, {stage.stage}: CPUs {mean:.1f} % busy"
                + (
                    ""
                    if stage.cpu_steal_percent.mean is None
                    else f", {stage.cpu_steal_percent.mean:.1f} % stolen"
                )
                + f" ({plural(stage.cpu_busy_percent.n, 'call')})"
                for c, stage, mean in busy
            ]
        ),
        advice=f"{own}; then run the sweep anew. Until then absolute figures are those of a busy host.",
        configurations=configs(c for c, *_ in busy),
    )


def cold_mixed(summary: SweepSummary) -> Iterator[Finding]:
    cold = [c for c in summary.configurations if c.cold_calls]
    if not cold or summary.warmup == "unload":  # asked for: every run begins cold
        return
    several = several_agents(summary.configurations)
    number = sum(c.total("cold_calls") for c in cold)
    calls = sum(c.call_count for c in cold)
    mixed = [c for c in cold if _is_mixed(c)]
    longest = max(call.load_ms for c in cold for call in c.cold_calls)
    yield Finding(
        rule="cold-start-mixed",
        severity="warning" if mixed else "note",
        text=f"{number} of {plural(calls, 'call')} of {plural(len(cold), 'configuration')} {'was' if number == 1 else 'were'} cold (the server "
        "loaded the model first): the as-recorded figures mix them with warm ones; TTFT over runs leaves them out",
        evidence=first_of(
            [
                f"{mention(c, several)}: TTFT as recorded {mean_sd(c.as_recorded.ttft_ms, 'ms')}, warm {mean_sd(c.valid.ttft_warm_ms, 'ms')}"
                for c in mixed
            ]
            + [f"longest load {longest:.0f} ms"]
        ),
        advice=_against_cold(summary),
        configurations=configs(cold),
    )


def _against_cold(summary: SweepSummary) -> str:
    quote = "Quote the warm TTFT, and cold calls on their own."
    if summary.warmup:
        return (
            f"{quote} Warm-up calls did not prevent them: the server let go of the model between (keep_alive, memory, "
            "another client), or another num_ctx or num_gpu made it load anew."
        )
    return f"{quote} A warm-up call before each run (warmup: 1) keeps loads out; warmup: unload makes every run begin cold."


def _is_mixed(c: ConfigurationSummary) -> bool:
    recorded, warm = c.as_recorded.ttft_ms.mean, c.valid.ttft_warm_ms.mean
    return recorded is not None and bool(warm) and abs(recorded / (warm or 1) - 1) > MIXED


def _held_back(c: ConfigurationSummary) -> tuple[int, int]:
    """Throttled calls, and those of which it is known."""
    known = [stage for stage in c.telemetry if stage.throttled_calls is not None]
    return sum(stage.throttled_calls or 0 for stage in known), sum(stage.calls for stage in known)


def _speed(c: ConfigurationSummary) -> str:
    """Rates of throttled and other runs, where there are both."""
    runs = [run for run in c.over_runs.runs if run.complete and run.throughput_tok_s is not None]
    held = estimate(run.throughput_tok_s for run in runs if run.throttled is True)
    free = estimate(run.throughput_tok_s for run in runs if run.throttled is False)
    if held.mean is None or free.mean is None:
        return ""
    return f"; {mean_sd(held, 'tok/s')} in throttled runs, {mean_sd(free, 'tok/s')} in others"
