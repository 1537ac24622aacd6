"""Sends the requests of one load and keeps what came.

Answers are read when the load is over, since reading takes some ms of CPU each, in which nothing can be sent. Earlier are read
those that a conversation's next turn needs, and the oldest where more than :data:`MAX_UNREAD` are kept: unread ones take
some hundred bytes a frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from contracts.call import CallResult
from contracts.job import JobSpec
from contracts.load import is_served
from contracts.workloads import PromptsWorkload
from worker.measurement.clock import now_ns
from worker.servers import CallRequest, Load, ModelServer, Recording
from worker.workloads.prompts.dialogue import Dialogue, Dialogues, Turn

MAX_UNREAD = 256
MAX_FRAMES = 2_000_000
"""Of a run, whose arrivals are kept one by one (some 17 bytes each); of later answers only the first and the last: an outcome has a
bound (:mod:`contracts.packing`)."""
QUICK_NS = 20_000_000
"""What is over sooner may have been refused: it is read at once."""
Hold = Callable[[int], Awaitable[None]]
AT_LEAST_S = 0.001
"""A call that is sent at its deadline gets so long: its outcome is a timeout."""


@dataclass
class Carried:
    """One request that was due."""

    due_ns: int
    turn: Turn | None = None
    recording: Recording | None = None
    """``None`` where it was read, or never sent."""
    result: CallResult | None = None
    """``None`` where it was not read yet, or never sent."""

    def read(self) -> None:
        """Read it, if that is to be done; the text is dropped."""
        if self.recording is not None:
            self._keep(self.recording())

    def read_text(self) -> str | None:
        """Read it and return its text; ``None``: no valid answer came."""
        assert self.recording is not None
        result = self.recording()
        self._keep(result)
        return result.text if result.outcome.valid else None

    @property
    def was_refused(self) -> bool:
        """Whether it was read, and not served."""
        return self.result is not None and not is_served(self.result.outcome)

    def thin(self) -> None:
        """Keep only the first and the last arrival."""
        if self.result is None or len(self.result.timing.text_ns) <= 2:
            return
        times = self.result.timing.text_ns
        timing = self.result.timing.model_copy(update={"text_ns": (times[0], times[-1]), "text_tokens": None})
        self.result = self.result.model_copy(update={"timing": timing})

    def _keep(self, result: CallResult) -> None:
        self.recording = None
        self.result = result.model_copy(update={"text": "", "text_chars": len(result.text)})


class Over(NamedTuple):
    """How one request ended."""

    ended_ns: int
    goes_on: bool
    """Its dialogue has a further turn, and an answer to go on from."""
    refused: bool
    """It is known already that it was not served."""


class Carrier:
    """Of one load."""

    def __init__(
        self, spec: JobSpec, server: ModelServer, dialogues: Dialogues, left_s: Callable[[], float]
    ) -> None:
        assert isinstance(spec.workload, PromptsWorkload)
        self.left_s = left_s
        self.dialogues = dialogues
        self.carried: list[Carried] = []
        self.cut_short = 0
        """Requests that the job's deadline ended."""
        self._spec = spec
        self._workload = spec.workload
        self._server = server
        self._unread: deque[Carried] = deque()

    async def send(self, due_ns: int, dialogue: Dialogue, hold: Hold | None = None) -> Over:
        """Send the dialogue's next turn, to its end; ``hold``: not before it is due."""
        turn = dialogue.turn
        carried = Carried(due_ns, turn)
        self.carried.append(carried)
        request = self._request(turn, Load(due_ns, hold))
        sent_ns = now_ns()
        carried.recording = await self._server.record(request, max(self.left_s(), AT_LEAST_S))
        ended_ns = now_ns()
        if self.left_s() <= 0:
            self.cut_short += 1
        if dialogue.goes_on:
            text = carried.read_text()
            if text:
                dialogue.answered(text)
            return Over(ended_ns, bool(text), carried.was_refused)
        if ended_ns - sent_ns < QUICK_NS:
            carried.read()
            return Over(ended_ns, False, carried.was_refused)
        self._unread.append(carried)
        if len(self._unread) > MAX_UNREAD:
            self._unread.popleft().read()
        return Over(ended_ns, False, False)

    def never_sent(self, due_ns: int) -> None:
        """Take down a request that was due and could not be sent before the deadline."""
        self.carried.append(Carried(due_ns))

    def finished(self) -> list[Carried]:
        """Read what is not read yet; return all requests in the order of their being due."""
        while self._unread:
            self._unread.popleft().read()
        return sorted(self.carried, key=lambda carried: carried.due_ns)

    def _request(self, turn: Turn, load: Load) -> CallRequest:
        configuration, made = self._spec.configuration, self.dialogues.source.made
        parameters = configuration.parameters
        if turn.output_tokens is not None:
            parameters = parameters.model_copy(update={"num_predict": turn.output_tokens})
        return CallRequest(
            model=configuration.model,
            prompt=turn.prompt,
            system=turn.system,
            parameters=parameters,
            answer_schema=None,
            min_words=self._workload.min_words,
            history=turn.history,
            ignore_eos=made,
            any_text=made,
            load=load,
        )
