"""What must be the same for two results to be compared, and what should be known to differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from analysis.compare.matching import Pair
from analysis.compare.models import Allowable, Condition, State
from analysis.compare.result import Result
from analysis.formatting import plural
from analysis.models import ConfigurationSummary
from contracts.configuration import describe_parameters
from contracts.manifest import Manifest, SlotIdentity

RULE = (
    "Two results are comparable where workload (settings, files, prompts' version), warm-up, model digest, context "
    "length, server and its version, pool and hardware are the same in all matched configurations. What a result "
    "does not tell can't be checked: it forbids nothing, and is named."
)


def conditions(
    baseline: Result, candidate: Result, pairs: Sequence[Pair], allow: frozenset[Allowable]
) -> tuple[Condition, ...]:
    """Return every condition with its values in both results; only matched configurations count."""
    return tuple(_conditions(_Sides(baseline, candidate, pairs), allow))


class _Sides:
    """The two results, each with its matched configurations."""

    def __init__(self, baseline: Result, candidate: Result, pairs: Sequence[Pair]) -> None:
        self.sides = ((baseline, [a for a, _ in pairs]), (candidate, [b for _, b in pairs]))
        self.pairs = pairs

    def each(self, values: Callable[[Result, list[ConfigurationSummary]], Iterable[str | None]]) -> _Values:
        a, b = (_distinct(values(result, matched)) for result, matched in self.sides)
        return a, b


_Values = tuple[tuple[str, ...], tuple[str, ...]]
_ALIKE: _Values = (("equal",), ("equal",))


def _conditions(sides: _Sides, allow: frozenset[Allowable]) -> Iterator[Condition]:
    def check(what: str, name: Allowable, values: _Values) -> Condition:
        state = _state(*values)
        allowed = state == "differs" and name in allow
        return Condition(
            what=what, allow=name, baseline=values[0], candidate=values[1], state=state, allowed=allowed
        )

    def note(what: str, values: _Values) -> Condition:
        return Condition(
            what=what, allow=None, baseline=values[0], candidate=values[1], state=_state(*values)
        )

    manifest = _of_manifest
    yield check("files (content hash)", "workload", sides.each(lambda r, _: (r.summary.corpus_digest,)))
    yield check("workload's settings", "workload", sides.each(manifest(_workload)))
    yield check("prompts' version", "workload", sides.each(lambda r, _: (r.prompts_version,)))
    yield check("before each run", "warmup", sides.each(manifest(_warmup)))
    yield check("model", "model", sides.each(lambda _, cs: (c.model for c in cs)))
    yield check("model digest", "model", sides.each(lambda _, cs: (_with(c, c.model_digests) for c in cs)))
    yield check("quantisation", "model", sides.each(lambda _, cs: (_with(c, c.quantisations) for c in cs)))
    yield check("parameters", "parameters", _parameters(sides.pairs))
    yield check("context length as run (tokens)", "context", _contexts(sides.pairs))
    yield check("server kind and settings", "server", sides.each(manifest(_server)))
    yield check("server software", "server", sides.each(lambda r, cs: map(_software, r.slots_of(cs))))
    yield check("server version", "server-version", sides.each(_server_versions))
    yield check("pool", "pool", sides.each(lambda _, cs: (pool for c in cs for pool in c.pools)))
    yield check("hardware", "hardware", sides.each(lambda r, cs: map(_hardware, r.slots_of(cs))))
    yield note("hosts", sides.each(lambda _, cs: (host for c in cs for host in c.hosts)))
    yield note("GPU driver", sides.each(lambda r, cs: (d for s in r.slots_of(cs) for d in _drivers(s))))
    yield note("Chimera", sides.each(lambda r, _: (r.provenance.code,)))
    yield note("clock of arrivals", sides.each(_clocks))
    yield note("time limits and retries", sides.each(manifest(_limits)))


def _state(baseline: tuple[str, ...], candidate: tuple[str, ...]) -> State:
    if not baseline or not candidate:
        return "not known"
    return "same" if baseline == candidate else "differs"


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def _of_manifest(
    value: Callable[[Manifest], str],
) -> Callable[[Result, list[ConfigurationSummary]], Iterable[str | None]]:
    return lambda result, _: () if result.manifest is None else (value(result.manifest),)


def _workload(manifest: Manifest) -> str:
    """All but the paths: what they lead to is the files' hash."""
    settings = manifest.spec.workload.model_dump(mode="json", exclude={"paths"})
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _warmup(manifest: Manifest) -> str:
    warmup = manifest.spec.warmup
    return "the model is unloaded" if warmup == "unload" else plural(warmup, "warm-up call")


def _server(manifest: Manifest) -> str:
    server = manifest.spec.server
    cache = {None: "", True: ", prompt cache on", False: ", prompt cache off"}[server.prompt_cache]
    api = f" ({server.api})" if server.kind == "openai" else ""
    return f"{server.kind}{api}{cache}"


def _limits(manifest: Manifest) -> str:
    spec = manifest.spec
    given = spec.server.timeouts.model_dump(exclude_none=True)
    limits = ", ".join(f"{name} {seconds:g} s" for name, seconds in given.items())
    return f"job {spec.deadline:g} s, {limits}; {spec.server.retries} retries"


def _with(c: ConfigurationSummary, values: tuple[str, ...]) -> str | None:
    return f"{c.model or 'model not recorded'}: {' or '.join(values)}" if values else None


def _parameters(pairs: Sequence[Pair]) -> _Values:
    """Only of pairs that differ, so that a thousand configurations don't fill the table."""
    known = [(a, b) for a, b in pairs if a.parameters is not None and b.parameters is not None]
    differing = [(a, b) for a, b in known if a.parameters != b.parameters]
    if not known:
        return (), ()
    if not differing:
        return _ALIKE
    return _distinct(_described(a) for a, _ in differing), _distinct(_described(b) for _, b in differing)


def _described(c: ConfigurationSummary) -> str:
    return f"{c.config}: {describe_parameters(c.parameters or {})}"


def _contexts(pairs: Sequence[Pair]) -> _Values:
    """As above: which context a configuration has is its own. Where another one was asked for, the parameters differ."""
    known = [(a, b) for a, b in pairs if a.contexts and b.contexts and _asked_context(a) == _asked_context(b)]
    differing = [(a, b) for a, b in known if a.contexts != b.contexts]
    if differing:
        return _distinct(_context(a) for a, _ in differing), _distinct(_context(b) for _, b in differing)
    alike = _distinct(str(tokens) for a, _ in known for tokens in a.contexts)
    return alike, alike


def _asked_context(c: ConfigurationSummary) -> int | float | None:
    return (c.parameters or {}).get("num_ctx")


def _context(c: ConfigurationSummary) -> str:
    return f"{c.config}: {' or '.join(map(str, c.contexts))}"


def _software(slot: SlotIdentity) -> str | None:
    return slot.server.software if slot.server else None


def _server_versions(result: Result, configurations: list[ConfigurationSummary]) -> Iterable[str | None]:
    of_calls = [v for c in configurations for v in result.server_versions.get((c.config, c.agent), ())]
    return of_calls or [
        slot.server.version if slot.server else None for slot in result.slots_of(configurations)
    ]


def _clocks(result: Result, configurations: list[ConfigurationSummary]) -> Iterable[str | None]:
    return (clock for c in configurations for clock in result.clocks.get((c.config, c.agent), ()))


def _hardware(slot: SlotIdentity) -> str | None:
    """GPUs where there are any, else the CPU: what the model runs on."""
    host = slot.host
    if host is None:
        return None
    names = sorted({gpu.name or "unnamed GPU" for gpu in host.gpus or ()})
    if names:
        return ", ".join(names)
    if host.cpu is None:
        return None
    return f"{host.cpu} ({host.cpu_count or '?'} logical){', GPUs not known' if host.gpus is None else ''}"


def _drivers(slot: SlotIdentity) -> Iterator[str]:
    for gpu in slot.host.gpus or () if slot.host else ():
        if gpu.driver:
            yield gpu.driver
