"""What to distrust in a sweep as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.models import ConfigurationSummary
from contracts.manifest import SlotIdentity

_FEW_RUNS = 3
_MOST_NAMES = 5


def warnings(
    configurations: Sequence[ConfigurationSummary], slots: Sequence[SlotIdentity]
) -> tuple[str, ...]:
    """Return the warnings of a sweep, the gravest first."""
    return (
        *_places(configurations),
        *_servers(slots),
        *_models(configurations),
        *_comparability(configurations),
    )


def _places(configurations: Sequence[ConfigurationSummary]) -> Iterator[str]:
    pools = sorted({pool for c in configurations for pool in c.pools})
    if len(pools) > 1:
        yield f"results of several pools are mixed: {', '.join(pools)}"
    hosts = sorted({host for c in configurations for host in c.hosts})
    if len(hosts) > 1:
        yield f"measured on several hosts: {', '.join(hosts)}; differences between them are part of every ± here"
    if len({c.slots for c in configurations if c.slots}) > 1:
        yield (
            "not every configuration was measured on the same slots: a difference between configurations may be "
            "one between slots"
        )


def _servers(slots: Sequence[SlotIdentity]) -> Iterator[str]:
    servers = [slot.server for slot in slots if slot.server is not None]
    kinds = sorted({f"{server.kind} {server.version or '(version unknown)'}" for server in servers})
    if len(kinds) > 1:
        yield f"the slots ran different servers: {', '.join(kinds)}"


def _models(configurations: Sequence[ConfigurationSummary]) -> Iterator[str]:
    digests: dict[str, set[str]] = {}
    for c in configurations:
        if c.model is not None:
            digests.setdefault(c.model, set()).update(c.model_digests)
        if len(c.contexts) > 1:
            lengths = ", ".join(map(str, c.contexts))
            yield f"{c.config} ({c.agent}) was not run with one context length: {lengths} tokens"
    for model, found in sorted(digests.items()):
        if len(found) > 1:
            yield f"{model} was not the same model in all runs: digests {', '.join(sorted(found))}"


def _comparability(configurations: Sequence[ConfigurationSummary]) -> Iterator[str]:
    with_runs = [c for c in configurations if c.over_runs.throughput_tok_s.n]
    if len({c.over_runs.throughput_method for c in with_runs}) > 1:
        yield "throughput over runs was not computed by the same method for every configuration"
    if any(c.over_runs.throughput_tok_s.n < _FEW_RUNS for c in configurations):
        yield f"some configurations have fewer than {_FEW_RUNS} complete runs: their ± says little"
    broken = [c for c in configurations if c.runs_complete < (c.runs_planned or c.runs)]
    if broken:
        names = ", ".join(c.config for c in broken[:_MOST_NAMES])
        more = f" and {len(broken) - _MOST_NAMES} more" if len(broken) > _MOST_NAMES else ""
        yield f"not every run of {names}{more} is complete: what failed is not in the comparison, and may be why"
    cut = [c for c in configurations if c.outcomes.get("truncated")]
    if cut:
        count = sum(c.outcomes["truncated"] for c in cut)
        calls = "1 call was" if count == 1 else f"{count} calls were"
        yield f"{calls} cut at the asked length limit (truncated): valid, but as long as the limit, not the model, made it"
