"""The worker's own client, called as a job calls it, from one process."""

from __future__ import annotations

import asyncio
import contextlib

from benchmarks.fidelity.clients.closed_loop import CALL_TIMEOUT_S, arguments, closed_loop
from benchmarks.fidelity.record import Marks, write_marks
from benchmarks.fidelity.workload import MODEL, prompt
from contracts.call import Outcome
from contracts.configuration import Parameters
from contracts.sweep import ServerSpec
from worker.measurement.loop import WatchedLoop
from worker.servers import CallRequest, Recording, open_server

# The reference server's words repeat, which is no fault of the measurement.
_MEASURED = (Outcome.OK, Outcome.TRUNCATED, Outcome.DEGENERATE)


async def _main() -> None:
    parser = arguments()
    parser.add_argument("--telemetry", action="store_true", help="sample GPU and host in a thread beside it")
    options = parser.parse_args()
    server = open_server(ServerSpec(kind="openai", api="completions"), options.url)
    recordings: list[tuple[int, Recording]] = []

    async def call(number: int) -> None:
        parameters = Parameters(num_predict=options.tokens, seed=number)
        request = CallRequest(
            model=MODEL, prompt=prompt(number), system=None, parameters=parameters, answer_schema=None
        )
        # Read when all are over, as a workload with several calls at once does.
        recordings.append((number, await server.record(request, CALL_TIMEOUT_S)))

    with _telemetry() if options.telemetry else contextlib.nullcontext():
        problems = await closed_loop(call, options.concurrency, options.requests)
    await server.aclose()
    marks: list[Marks] = []
    while recordings:
        number, read = recordings.pop()
        result = read()
        if result.outcome in _MEASURED:
            marks.append(Marks(number, result.timing.sent_ns, tuple(result.timing.text_ns)))
        else:
            problems.append(f"{result.outcome}: {result.reason}")
    write_marks(options.out, marks, problems)


def _telemetry() -> contextlib.AbstractContextManager[object]:
    from worker.telemetry.sampler import TelemetrySampler  # in the CPU time only where it is used

    return TelemetrySampler()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        runner.run(_main())
