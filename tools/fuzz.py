"""Throws broken responses at the clients of model servers; nothing may fail, hang or be invented.

python tools/fuzz.py [--seconds 60] [--seed N] [--folder DIR] [--replay FILE]

Whole HTTP responses in all four formats are changed at random (bytes, frames, the JSON in them), cut at
random, and read by the real clients on a transport without a network. Prints the seed and the cases per
second. Exit code 1: a case failed; it is saved in the folder, and --replay reads it again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.fuzzing.checks import problems
from tools.fuzzing.corpus import Seed, corpus, in_chunks
from tools.fuzzing.mutations import mutate, split
from tools.fuzzing.replay import Case, Player, body_of, content
from worker.measurement.loop import WatchedLoop

HANG_S = 20.0


class Hang(Exception):
    """A case took too long."""


@dataclass
class Report:
    """What a run came to."""

    cases: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    failure: str | None = None
    """Why the last case failed."""
    saved: Path | None = None


def cases(seed: int, seeds: list[Seed] | None = None) -> Iterator[Case]:
    """Yield cases without end."""
    chance, seeds = random.Random(seed), seeds or corpus()
    while True:
        chosen, other = chance.choice(seeds), chance.choice(seeds)
        if not chosen.is_stream or chance.random() < 0.2:
            data = mutate(chance, chosen.data, other.data)
        else:  # what is changed as a whole response seldom comes as far as the frames
            data = in_chunks(chance, chosen, mutate(chance, chosen.body, other.body))
        reader = other if chance.random() < 0.05 else chosen
        yield Case(reader.kind, tuple(split(chance, data)))


async def fails(player: Player, case: Case, outcomes: Counter[str]) -> str | None:
    """Return why a case fails; ``None``: all is well."""
    try:
        if content(case.pieces) != content((b"".join(case.pieces),)):
            return "the response depends on how it is cut"
        result = await player.play(case)
        outcomes[result.outcome] += 1
        return next(problems(result, body_of(case.pieces)), None)
    except Exception:
        return traceback.format_exc()


def run(seconds: float, seed: int, folder: Path) -> Report:
    """Fuzz for so long, or until a case fails."""
    report, seeds = Report(), corpus()
    begin_s = time.monotonic()

    async def all_cases() -> None:
        player = Player()
        for case in cases(seed, seeds):
            report.seconds = time.monotonic() - begin_s
            if report.seconds >= seconds:
                return
            with watchdog():
                report.failure = await fails(player, case, report.outcomes)
            report.cases += 1
            if report.failure is not None:
                report.saved = folder / f"fuzz-{seed}-{report.cases}.json"
                case.save(report.saved, report.failure)
                return

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        runner.run(all_cases())
    return report


@contextmanager
def watchdog() -> Iterator[None]:
    """Raise Hang in the block when it takes too long, in a loop that never waits too."""

    def bite(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"not done after {HANG_S:g} s")

    before = signal.signal(signal.SIGALRM, bite)
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def replay(path: Path) -> str | None:
    """Return why a saved case fails."""

    async def once() -> str | None:
        with watchdog():
            return await fails(Player(), Case.load(path), Counter())

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        return runner.run(once())


def main() -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--folder", type=Path, default=Path(), help="where a failing case is saved")
    parser.add_argument("--replay", type=Path, help="a saved case")
    arguments = parser.parse_args()
    if arguments.replay is not None:
        failure = replay(arguments.replay)
        print(failure or "all is well")
        return 1 if failure else 0
    report = run(arguments.seconds, arguments.seed, arguments.folder)
    rate = report.cases / report.seconds if report.seconds else 0.0
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.most_common())
    print(f"seed {arguments.seed}: {report.cases} cases in {report.seconds:.1f} s ({rate:.0f}/s): {outcomes}")
    if report.failure is None:
        return 0
    print(f"{report.failure}\nsaved: {report.saved}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
