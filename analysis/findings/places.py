"""Where it was measured: pools, hosts, slots, servers, models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.findings.phrases import configs, first_of, listed, mention, several_agents, share, some
from analysis.formatting import ends, p_words, plural, two_digits
from analysis.metrics import BY_KEY, THROUGHPUT
from analysis.models import ConfigurationSummary, Finding, HostEffects, SlotEffect, SweepSummary


def pools_mixed(summary: SweepSummary) -> Iterator[Finding]:
    pools = sorted({pool for c in summary.configurations for pool in c.pools})
    if len(pools) > 1:
        yield Finding(
            rule="pools-mixed",
            severity="critical",
            text=f"results of several pools are mixed: {', '.join(pools)}",
            evidence=first_of(
                [
                    f"{pool}: {plural(sum(pool in c.pools for c in summary.configurations), 'configuration')}"
                    for pool in pools
                ]
            ),
            advice="Pools are different hardware: run the sweep once for each pool (pool: NAME in the sweep file) and "
            "compare the results with chimera compare --allow pool.",
        )


def servers_differ(summary: SweepSummary) -> Iterator[Finding]:
    by_server: dict[str, list[str]] = {}
    for slot in summary.slots:
        if slot.server is not None:
            name = f"{slot.server.kind} {slot.server.version or '(version unknown)'}"
            by_server.setdefault(name, []).append(slot.slot)
    if len(by_server) > 1:
        yield Finding(
            rule="servers-differ",
            severity="critical",
            text=f"the slots ran different servers: {', '.join(sorted(by_server))}",
            evidence=first_of([f"{name}: {some(slots)}" for name, slots in sorted(by_server.items())]),
            advice="Install one version of the server on every slot of the pool and run the sweep anew "
            "(chimera run --fresh).",
        )


def digests_differ(summary: SweepSummary) -> Iterator[Finding]:
    by_model: dict[str, list[ConfigurationSummary]] = {}
    for c in summary.configurations:
        if c.model is not None:
            by_model.setdefault(c.model, []).append(c)
    for model, of_model in sorted(by_model.items()):
        digests = sorted({digest for c in of_model for digest in c.model_digests})
        if len(digests) > 1:
            yield Finding(
                rule="digests-differ",
                severity="critical",
                text=f"{model} was not the same model in all runs: digests {', '.join(digests)}",
                evidence=first_of(
                    [
                        f"{digest}: slots {some(slot for c in of_model if digest in c.model_digests for slot in c.slots)}"
                        for digest in digests
                    ]
                ),
                advice=f"Pull {model} anew on every slot, so that all have one digest, and run the sweep anew "
                "(chimera run --fresh).",
                configurations=configs(of_model),
            )


def contexts_differ(summary: SweepSummary) -> Iterator[Finding]:
    several = several_agents(summary.configurations)
    found = [c for c in summary.configurations if len(c.contexts) > 1]
    if found:
        who = mention(found[0], several) if len(found) == 1 else f"{len(found)} configurations"
        lengths = ", ".join(map(str, sorted({length for c in found for length in c.contexts})))
        yield Finding(
            rule="contexts-differ",
            severity="warning",
            text=f"{who} {'was' if len(found) == 1 else 'were'} not run with one context length: {lengths} tokens",
            evidence=first_of(
                [
                    f"{mention(c, several)}: the server told {', '.join(map(str, c.contexts))} tokens"
                    for c in found
                ]
            ),
            advice="Name num_ctx in the sweep file, so that no server chooses it, and keep other clients away from "
            "the server while a sweep runs: another slot on the same server is one, too.",
            configurations=configs(found),
        )


def slots_unequal(summary: SweepSummary) -> Iterator[Finding]:
    measured = [c for c in summary.configurations if c.slots]
    if len({c.slots for c in measured}) < 2:
        return
    several = several_agents(summary.configurations)
    yield Finding(
        rule="slots-unequal",
        severity="warning",
        text="not every configuration was measured on the same slots: a difference between configurations may be "
        "one between slots",
        evidence=first_of([f"{mention(c, several)}: {some(c.slots)}" for c in measured]),
        advice="Look at the effect of slots (Effects). Where slots differ, measure on one of them, or plan at least as "
        "many runs as there are slots, so that every configuration meets each.",
    )


def hosts_several(summary: SweepSummary) -> Iterator[Finding]:
    hosts = sorted({host for c in summary.configurations for host in c.hosts})
    if len(hosts) < 2:
        return
    told = [_share(effects) for effects in summary.host_effects]
    yield Finding(
        rule="hosts-several",
        # Known and part of the analysis of variance, or neither.
        severity="note" if told else "warning",
        text=f"measured on several hosts: {some(hosts)}; differences between them are part of every ± here",
        evidence=first_of(told) or (plural(len(hosts), "host"),),
        advice="Where the slots' share of the variance is large, compare within one slot, or run more blocks.",
    )


def slot_outlying(summary: SweepSummary) -> Iterator[Finding]:
    by_slot: dict[str, list[tuple[HostEffects, SlotEffect]]] = {}
    for effects in summary.host_effects:
        for slot in effects.slots:
            if slot.outlying:
                by_slot.setdefault(slot.slot, []).append((effects, slot))
    for found in by_slot.values():
        yield _outlying(found)


def layers_kept(summary: SweepSummary) -> Iterator[Finding]:
    """Ollama (seen in 0.12.11): without num_gpu a call runs on the layers that the call before asked for."""
    if not any(slot.server is not None and slot.server.kind == "ollama" for slot in summary.slots):
        return
    asked = [c for c in summary.configurations if c.runs and c.parameters and "num_gpu" in c.parameters]
    default = [
        c
        for c in summary.configurations
        if c.parameters is not None and "num_gpu" not in c.parameters and c.unloaded_runs < c.runs
    ]
    if asked and default:
        yield Finding(
            rule="layers-kept",
            severity="warning",
            text=f"{some(c.config for c in default)} left num_gpu to the server, and Ollama then keeps the layers that "
            "the call before asked for: they may have run with another configuration's",
            evidence=(
                f"{plural(len(asked), 'configuration')} of the same sweep asked for num_gpu: {some(c.config for c in asked)}",
            ),
            advice="Unload the model before each run (warmup: unload), or give every configuration a num_gpu.",
            configurations=configs(default),
        )


def _outlying(found: Sequence[tuple[HostEffects, SlotEffect]]) -> Finding:
    """One finding a slot: its first metric, the others beside it."""
    (effects, slot), *others = found
    pool = "its pool" if effects.pool is None else f"its pool {effects.pool}"
    evidence = [f"{plural(slot.runs, 'run')} on it"]
    if slot.interval is not None:
        evidence.append(f"95 % interval {ends(slot.interval)} %")
    evidence.append(_share(effects))
    if others:
        evidence.append(f"also {listed([_apart(e, s, pool) for e, s in others])}")
    return Finding(
        rule="slot-outlier",
        severity="warning",
        text=f"slot {slot.slot} is {_apart(effects, slot, pool)}",
        evidence=tuple(evidence),
        advice=f"Look at {slot.slot}'s clocks, power limit, temperature and link (nvidia-smi -q -d CLOCK,POWER,TEMPERATURE,"
        "PERFORMANCE; nvidia-smi topo -m) and at what else runs on its host. Until it is as the others, give it a pool "
        f"of its own (chimera worker --slot {slot.slot} --pool NAME) and measure anew.",
    )


def _apart(effects: HostEffects, slot: SlotEffect, pool: str) -> str:
    metric = BY_KEY[effects.metric]
    p = slot.p_holm if slot.p_holm is not None else slot.p
    tested = "" if p is None else f" ({p_words(p)})"
    size = f"{abs(slot.percent):.1f} %"
    if metric == THROUGHPUT:
        return f"{size} {'faster' if slot.percent > 0 else 'slower'} than {pool}{tested}"
    return f"{size} {'above' if slot.percent > 0 else 'below'} {pool} in {metric.title}{tested}"


def _share(effects: HostEffects) -> str:
    metric = BY_KEY[effects.metric].title
    return (
        f"{metric}: slots explain {share(effects.variance_share)} of the variance between runs of one configuration "
        f"(sd between slots {two_digits(effects.sd_percent)} % of the mean)"
    )
