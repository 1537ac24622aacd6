"""The story of one run of the workload ``prompts``: its prompts, its load or the steps of its search, its stages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from contracts.failures import InputError
from contracts.formulas import NS_PER_S
from contracts.job import JobSpec
from contracts.load import step_figures
from contracts.outcome import AskedLoad, StageResult
from contracts.prompts_file import read_prompts
from contracts.records import LOAD_STAGE, REQUEST_STAGE
from contracts.workloads import MAX_REQUESTS, PromptsWorkload
from worker.measurement.clock import utc_now
from worker.servers import ModelServer
from worker.workloads.prompts.carrier import MAX_FRAMES, Carried, Carrier
from worker.workloads.prompts.dialogue import Dialogues
from worker.workloads.prompts.loops import Sent, closed_loop, open_loop
from worker.workloads.prompts.schedule import arrivals, schedule
from worker.workloads.prompts.search import Search
from worker.workloads.prompts.source import Given, Made, Source
from worker.workloads.prompts.stages import load_stage, lost_load, request_stages, served

LASTS = 4.0
"""A step of a search lasts for so many answers one after the other, at least."""
MANY_HELD_BACK = 0.01
MOST_WARM = 32
"""Connections that are made before an open loop; it makes more when it needs them."""
AHEAD_PER_USER = 8
"""Conversations that are made before a closed loop whose number of requests is not known."""


@dataclass(frozen=True)
class PromptsRun:
    """One run."""

    stages: tuple[StageResult, ...]
    """Of each step its load, then its requests in the order of their being due."""
    wall_s: float | None
    """From the first request to the end of the last, seconds; ``None``: none was due."""


async def run_prompts(
    spec: JobSpec, server: ModelServer, *, file: Path | None, left_s: Callable[[], float]
) -> PromptsRun:
    """Perform one run: one load, or the steps of a search.

    Each request is sent once, whatever the server's specification says of retries: one that is refused (429, 503) is data. What
    is open at the deadline ends as ``timeout``; requests that were due and not sent are stages without a call; those that
    were not due yet are counted in the reason of the load's stage.

    Args:
        spec: the job; its workload is ``prompts``.
        server: a client, as the calls before used it; it may be in use for nothing else.
        file: the workload's file, resolved; ``None``: its prompts are made.
        left_s: tells the seconds to the job's deadline.
    """
    workload = spec.workload
    assert isinstance(workload, PromptsWorkload)
    search = None if workload.search is None else Search(workload.search)
    asked = _asked(spec, 1, None if search is None else search.next())
    try:
        source = _source(spec, workload, file)
    except InputError as error:
        return PromptsRun((lost_load(asked, str(error)),), None)
    run = _Run(spec, workload, server, source, left_s)
    again = False
    while True:
        told = await run.step(asked)
        if search is None:
            break
        keeps_up = run.keeps_up if told else None
        if told and keeps_up is None and not again and run.requests_left > 0:
            # Too short beside its answers; how long these are is known now.
            again, asked = True, asked.model_copy(update={"step": asked.step + 1})
            continue
        again = False
        search.tell(_load(asked), keeps_up)
        if keeps_up is None:
            run.note("the search ends here: these requests don't tell whether the server keeps up")
        following = search.next()
        if following is None or run.requests_left <= 0:
            break
        asked = _asked(spec, asked.step + 1, following)
    return PromptsRun(tuple(run.stages), run.wall_s)


def _source(spec: JobSpec, workload: PromptsWorkload, file: Path | None) -> Source:
    """Raises InputError: the prompts are not those that the job was planned for."""
    if workload.synthetic is not None:
        # A job that is measured again meets the cache of the server that it was measured on.
        once = f"{spec.execution}/{spec.configuration.id}/{utc_now().isoformat()}"
        return Made(workload.synthetic, workload.seed, spec.run, once)
    if file is None:
        raise InputError("the job's file of prompts is not known here")
    read = read_prompts(file)
    if read.digest != spec.corpus_digest:
        raise InputError(
            f"{file}: the prompts are not those that the job was planned for "
            f"(digest {read.digest}, planned {spec.corpus_digest})"
        )
    return Given.shuffled(read.conversations, workload.seed, spec.run)


def _asked(spec: JobSpec, step: int, searched: float | None) -> AskedLoad:
    workload, given = spec.workload, spec.configuration.parameters
    assert isinstance(workload, PromptsWorkload)
    if workload.search is None or searched is None:
        if given.rate is not None:
            return AskedLoad(step=step, rate=given.rate)
        return AskedLoad(step=step, concurrency=given.concurrency or 1)
    if workload.search.over == "rate":
        return AskedLoad(step=step, rate=searched)
    return AskedLoad(step=step, concurrency=int(searched))


def _load(asked: AskedLoad) -> float:
    return float(asked.concurrency) if asked.concurrency is not None else asked.rate or 0.0


class _Run:
    """What the steps of a run share."""

    def __init__(
        self,
        spec: JobSpec,
        workload: PromptsWorkload,
        server: ModelServer,
        source: Source,
        left_s: Callable[[], float],
    ) -> None:
        self.stages: list[StageResult] = []
        self.requests_left = MAX_REQUESTS
        self.keeps_up: bool | None = None
        """Whether the server kept up with the last step."""
        self._spec = spec
        self._workload = workload
        self._server = server
        self._left_s = left_s
        self._frames = 0
        self._latencies: list[int] = []
        self._dialogues = Dialogues(source)

    @property
    def wall_s(self) -> float | None:
        """From the first request to the end of the last, s; ``None``: none was due."""
        requests = [stage for stage in self.stages if stage.stage == REQUEST_STAGE]
        if not requests:
            return None
        return (max(one.ended_ns for one in requests) - min(one.started_ns for one in requests)) / 1e9

    async def step(self, asked: AskedLoad) -> bool:
        """Carry out one load, to the end of its last request: the server is idle then.

        Returns:
            Whether it was carried out as asked, so that its figures tell something of this load.
        """
        self._dialogues.forget()
        carrier = Carrier(self._spec, self._server, self._dialogues, self._left_s)
        sent = await self._closed(carrier, asked) if asked.rate is None else await self._open(carrier, asked)
        carried = carrier.finished()
        for one in carried:
            self._frames += len(one.result.timing.text_ns) if one.result is not None else 0
            if self._frames > MAX_FRAMES:
                one.thin()
        end_ns = max(
            (one.result.timing.end_ns for one in carried if one.result is not None), default=sent.begin_ns
        )
        requests = request_stages(asked, carried, end_ns)
        self.stages += [
            load_stage(asked, sent.begin_ns, requests, _notes(sent, carried, carrier.cut_short)),
            *requests,
        ]
        self.requests_left -= len(carried)
        search, slo = self._workload.search, self._workload.slo
        if search is not None:
            attainment = None if slo is None else search.attainment
            figures = step_figures(
                [served(request) for request in requests],
                concurrency=asked.concurrency,
                slo=slo,
                attainment=attainment,
            )
            self.keeps_up = figures.keeps_up
        self._latencies += [
            call.timing.end_ns - one.due_ns for one in carried if (call := one.result) is not None
        ]
        return not (sent.cut_off or sent.bounded or carrier.cut_short)

    def note(self, text: str) -> None:
        """Add to the reason of the last load."""
        at = max(index for index, stage in enumerate(self.stages) if stage.stage == LOAD_STAGE)
        before = self.stages[at].reason
        self.stages[at] = self.stages[at].model_copy(
            update={"reason": f"{before}; {text}" if before else text}
        )

    async def _closed(self, carrier: Carrier, asked: AskedLoad) -> Sent:
        users, workload = asked.concurrency or 1, self._workload
        requests, most = workload.requests, self.requests_left
        self._prepare(min(most, requests or users * AHEAD_PER_USER))
        await self._server.warm(min(users, requests or users))
        return await closed_loop(carrier, users, requests=requests, duration_s=workload.duration, most=most)

    async def _open(self, carrier: Carrier, asked: AskedLoad) -> Sent:
        workload, rate = self._workload, asked.rate
        assert rate is not None
        times, bounded = schedule(
            arrivals(rate, workload.arrivals, workload.seed, self._spec.run, asked.step),
            requests=self._requests_at(rate),
            duration_s=workload.duration,
            most=self.requests_left,
        )
        self._prepare(len(times))
        await self._server.warm(min(MOST_WARM, workload.max_in_flight, len(times)))
        return replace(await open_loop(carrier, times, workload.max_in_flight), bounded=bounded)

    def _requests_at(self, rate: float) -> int | None:
        """Return how many requests a step has: in a search so many that it is not over before its first answers have come."""
        requests = self._workload.requests
        if requests is None or self._workload.search is None or not self._latencies:
            return requests
        return max(requests, math.ceil(rate * LASTS * median(self._latencies) / NS_PER_S))

    def _prepare(self, count: int) -> None:
        source = self._dialogues.source
        if isinstance(source, Made):
            source.prepare(self._dialogues.begun, count)


def _notes(sent: Sent, carried: list[Carried], cut_short: int) -> list[str]:
    """Return what of the load was left out or held back, in words."""
    notes = []
    if cut_short:
        notes.append(f"the job's deadline ended {cut_short} requests")
    if sent.held_back > MANY_HELD_BACK * len(
        carried
    ):  # it may be the client's limit that is met, not the server's
        notes.append(f"{sent.held_back} requests waited for the limit of requests at a time (max_in_flight)")
    if sent.cut_off:
        unsent = sum(one.result is None for one in carried)
        left_out = [f"{unsent} due and not sent"] * bool(unsent) + [f"{sent.not_due} not due yet"] * bool(
            sent.not_due
        )
        notes.append(
            "the job's deadline came before all was sent" + (f": {', '.join(left_out)}" if left_out else "")
        )
    if sent.bounded:
        notes.append(f"ended at the bound of {MAX_REQUESTS} requests a run")
    return notes
