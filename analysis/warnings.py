"""What to distrust in a sweep as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.floor import measured_by_client
from analysis.inert import inert_words
from analysis.models import ConfigurationSummary, InertAxis, NoEffect, SweepFloor
from analysis.no_effect import no_effect_words
from analysis.notes import MANY_SUSPECT
from contracts.manifest import SlotIdentity

_FEW_RUNS = 3
_MOST_NAMES = 5


def warnings(
    configurations: Sequence[ConfigurationSummary],
    slots: Sequence[SlotIdentity],
    inert: Sequence[InertAxis],
    no_effect: Sequence[NoEffect],
    floor: SweepFloor | None,
) -> tuple[str, ...]:
    """Return the warnings of a sweep, the gravest first."""
    return (
        *_places(configurations),
        *_servers(slots),
        *_models(configurations),
        *map(inert_words, inert),
        *map(no_effect_words, no_effect),
        *_layers_kept(configurations, slots),
        *_suspect(configurations),
        *_floors(configurations, slots, floor),
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


def _layers_kept(
    configurations: Sequence[ConfigurationSummary], slots: Sequence[SlotIdentity]
) -> Iterator[str]:
    """Ollama (seen in 0.12.11): without num_gpu a call runs on the layers that the call before asked for."""
    if not any(slot.server is not None and slot.server.kind == "ollama" for slot in slots):
        return
    asked = [c for c in configurations if c.runs and c.parameters and "num_gpu" in c.parameters]
    default = [
        c.config
        for c in configurations
        if c.parameters is not None and "num_gpu" not in c.parameters and c.unloaded_runs < c.runs
    ]
    if asked and default:
        yield (
            f"{_some(default)} left num_gpu to the server, and Ollama then keeps the layers that the call before asked "
            "for: they may have run with another configuration's. Unload the model before each run (warmup: unload), "
            "or give every configuration a num_gpu"
        )


def _suspect(configurations: Sequence[ConfigurationSummary]) -> Iterator[str]:
    suspect = sum(c.suspect_calls or 0 for c in configurations)
    calls = sum(len(c.calls) for c in configurations)
    if suspect > MANY_SUSPECT * calls:
        yield (
            f"{suspect} of {calls} calls are suspect and left out: the measuring process was disturbed. Give each "
            "slot a core of its own"
        )


def _floors(
    configurations: Sequence[ConfigurationSummary], slots: Sequence[SlotIdentity], floor: SweepFloor | None
) -> Iterator[str]:
    bare = [slot.slot for slot in slots if slot.floor is None]
    if bare and any(map(measured_by_client, configurations)):
        yield (
            f"the client measured the rates, but its own error is not known on {', '.join(bare)}: run chimera calibrate"
        )
    floors = {slot.floor.clock for slot in slots if slot.floor is not None}
    others = {clock for c in configurations if c.conditions for clock in c.conditions.clocks} - floors
    if floor is not None and others:
        yield (
            f"the measurement floor was found with the {' and '.join(sorted(floors))} clock, but calls were timed with the "
            f"{' and '.join(sorted(others))} clock, whose error may be another"
        )
    for slot in slots:
        if slot.floor is not None and slot.host is not None and slot.floor.host != slot.host.host:
            yield (
                f"the measurement floor of {slot.slot} was found on {slot.floor.host}, but it measured on "
                f"{slot.host.host}: run chimera calibrate"
            )


def _comparability(configurations: Sequence[ConfigurationSummary]) -> Iterator[str]:
    with_runs = [c for c in configurations if c.over_runs.throughput_tok_s.n]
    if len({c.over_runs.throughput_method for c in with_runs}) > 1:
        yield "throughput over runs was not computed by the same method for every configuration"
    if any(c.over_runs.throughput_tok_s.n < _FEW_RUNS for c in configurations):
        yield f"some configurations have fewer than {_FEW_RUNS} complete runs: their ± says little"
    broken = [c for c in configurations if c.runs_complete < (c.runs_planned or c.runs)]
    if broken:
        names = _some([c.config for c in broken])
        yield f"not every run of {names} is complete: what failed is not in the comparison, and may be why"
    cut = [c for c in configurations if c.outcomes.get("truncated")]
    if cut:
        count = sum(c.outcomes["truncated"] for c in cut)
        calls = "1 call was" if count == 1 else f"{count} calls were"
        yield f"{calls} cut at the asked length limit (truncated): valid, but as long as the limit, not the model, made it"


def _some(names: Sequence[str]) -> str:
    """Join names, the first few of many."""
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - _MOST_NAMES} more" if len(distinct) > _MOST_NAMES else ""
    return ", ".join(distinct[:_MOST_NAMES]) + more
