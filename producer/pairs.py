"""The points of an ``agent-pair`` sweep → its configurations: all agents at the same time, and each of them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from contracts.configuration import AgentRole, Configuration, Parameters
from contracts.failures import InputError
from contracts.workloads import AgentPairWorkload, AgentSpec
from producer.personas import persona_text


def paired(
    points: Iterable[Configuration], workload: AgentPairWorkload, base_dir: Path
) -> tuple[Configuration, ...]:
    """Return the configurations: each point with all agents, then each agent's work alone, each work once.

    Work that is the same under several points (a baseline's, which runs the server's defaults under all) is measured alone
    once: its name is that of its agent alone.

    Raises:
        InputError: a persona can't be had, or two points are the same for all agents; without the file's name.
    """
    personas = [_persona(agent, index, base_dir) for index, agent in enumerate(workload.agents)]
    together: dict[str, Configuration] = {}
    alone: dict[str, list[Configuration]] = {}
    for point in points:
        roles = tuple(
            _role(agent, persona, point, workload.scenario == "baseline-vs-candidate" and not index)
            for index, (agent, persona) in enumerate(zip(workload.agents, personas, strict=True))
        )
        made = point.model_copy(update={"agents": roles})
        made = Configuration.model_validate(made.model_dump())  # ids are cached: not those of the point
        if made.id in together:
            raise InputError(
                f"axes: {together[made.id].name!r} and {point.name!r} are the same for all agents: each has its own value there"
            )
        together[made.id] = made
        for role in roles if workload.solo else ():
            solo = Configuration(
                name=_solo_name(point.name, role.label),
                model=role.model,
                parameters=role.parameters,
                agents=(role,),
            )
            alone.setdefault(solo.id, []).append(solo)
    # Work of several points has the agent's name alone, where that tells it apart.
    shared = Counter(found[0].agents[0].label for found in alone.values() if len(found) > 1)
    solos = [
        found[0].model_copy(update={"name": _solo_name("", found[0].agents[0].label)})
        if len(found) > 1 and shared[found[0].agents[0].label] == 1
        else found[0]
        for found in alone.values()
    ]
    return (*together.values(), *solos)


def _solo_name(point: str, label: str) -> str:
    return f"{point},solo={label}" if point and point != "default" else f"solo={label}"


def _persona(agent: AgentSpec, index: int, base_dir: Path) -> str:
    try:
        return persona_text(agent.persona, base_dir)
    except InputError as error:
        raise InputError(f"workload.agents[{index}].persona: {error}") from None


def _role(agent: AgentSpec, persona: str, point: Configuration, defaults: bool) -> AgentRole:
    """``defaults``: the agent runs its own parameters only, not the point's."""
    under = {} if defaults else point.parameters.given()
    return AgentRole(
        label=agent.label,
        persona=persona,
        model=agent.model or point.model,
        parameters=Parameters(**{**under, **agent.parameters.given()}),
        server=agent.server,
    )
