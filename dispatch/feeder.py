"""Publishes an execution's jobs little by little, in their order: what waits in Redis stays small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from contracts.jobs import JobMaker
from contracts.plots import Unit, has_plots
from contracts.queues import pool_queue, slot_queue
from contracts.store import Feeding, Store
from dispatch.dispatcher import Dispatcher, NamedUnit
from dispatch.known_rounds import KnownRounds
from dispatch.outstanding import Outstanding
from dispatch.window import first_window, next_window, room

JOBS_AT_ONCE = 5_000
"""Jobs of one publishing, about: units of many jobs are published fewer at a time."""


class Feeder:
    """Keeps a window of units published until all are; where it is cut off, another one goes on from the store."""

    def __init__(self, store: Store, dispatcher: Dispatcher, maker: JobMaker, rounds: KnownRounds) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._maker = maker
        self._rounds = rounds
        self._execution = maker.execution
        self._plots = has_plots(maker.spec, maker.configurations)
        self._feeding = Feeding()
        self._generation = 0
        self._units: Iterator[NamedUnit] | None = None
        self._window = 0
        self._seen_done = -1
        self.outstanding = Outstanding(store, self._execution)
        self.finished = False
        """Whether all that was known when the generation began is published."""

    def look(self, done: int, slots: int, sweeps: int) -> None:
        """Publish what the window has room for.

        ``done``: jobs with an outcome; ``slots``: live ones of the pool; ``sweeps``: those that share it.

        Raises:
            BrokerError: Redis went away; the next look does it again.
        """
        if self._units is None:
            self._take_up()
        if done != self._seen_done:
            self.outstanding.refresh()
            self._seen_done = done
        if not self.finished:
            self._fill(slots, sweeps)

    def reset(self) -> None:
        """Forget everything: another feeder was at work, or a new generation has begun."""
        self._units, self.finished = None, False

    def _take_up(self) -> None:
        """Go to the place that the store knows; what was published before and has no outcome is outstanding."""
        store, x = self._store, self._execution
        self._generation = store.generation(x) or 0
        feeding = store.feeding(x)
        self._rounds.news()  # of blocks that were decided while another one fed
        done = store.jobs_done(x)
        rounds = [one for one in self._rounds.rounds if one.block <= feeding.known_block]
        units = self._dispatcher.named(self._maker.units(rounds))
        outstanding = Outstanding(store, x)
        for _ in range(feeding.units):
            self._note(outstanding, next(units), done)
        for one in self._rounds.rounds:
            if one.block > feeding.known_block:
                self.take_in(one.block, outstanding)
        self.outstanding, self._feeding = outstanding, feeding
        self._units = self._without_done(units, done)
        self._window, self._seen_done, self.finished = 0, -1, False

    def take_in(self, block: int, outstanding: Outstanding | None = None) -> None:
        """Note the jobs of a block that was decided later: the one who decided publishes them."""
        one = next(one for one in self._rounds.rounds if one.block == block)
        for named in self._dispatcher.named(self._maker.units_of(one), block=block):
            self._note(outstanding or self.outstanding, named, set())

    def _note(self, outstanding: Outstanding, named: NamedUnit, done: set[str]) -> None:
        name, unit = named
        for job in unit.jobs:
            job_id = self._maker.job_id(job)
            if job_id not in done:
                outstanding.add(job_id, job, name)

    def _without_done(self, units: Iterator[NamedUnit], done: set[str]) -> Iterator[NamedUnit]:
        """Yield the units without the jobs that had an outcome already; also those of which nothing is left."""
        for name, unit in units:
            left = (
                tuple(job for job in unit.jobs if self._maker.job_id(job) not in done) if done else unit.jobs
            )
            yield name, Unit(unit.plot, unit.load, left)

    def _fill(self, slots: int, sweeps: int) -> None:
        outstanding = len(self.outstanding.units())
        queued = self._waiting()
        self._window = (
            next_window(
                self._window,
                outstanding=outstanding,
                queued=queued,
                slots=slots,
                plots=self._plots,
                sweeps=sweeps,
            )
            if self._window
            else first_window(slots, plots=self._plots)
        )
        wanted = room(self._window, outstanding=outstanding, slots=slots, plots=self._plots, sweeps=sweeps)
        while wanted > 0 and not self.finished:
            wanted -= self._publish_next(wanted)

    def _waiting(self) -> int:
        """Return how many messages wait in the pool's queue, or in that of the fixed slot that is the next to idle."""
        queues = [slot_queue(slot) for slot in self._maker.fixed_slots] or [pool_queue(self._maker.spec.pool)]
        return min(map(self._store.queued, queues))

    def _publish_next(self, wanted: int) -> int:
        """Publish up to so many units, about ``JOBS_AT_ONCE`` jobs at once; return how many."""
        assert self._units is not None
        chosen: list[NamedUnit] = []
        passed = jobs = 0
        for named in self._units:
            passed += 1
            if named[1].jobs:
                chosen.append(named)
                jobs += len(named[1].jobs)
            if len(chosen) >= wanted or jobs >= JOBS_AT_ONCE:
                break
        else:
            self.finished = True
        try:
            self._dispatcher.publish(chosen)
            feeding = replace(self._feeding, units=self._feeding.units + passed)
            recorded = self._store.put_feeding(self._execution, feeding, generation=self._generation)
        except BaseException:
            self.reset()  # nobody can tell how much of it arrived: from the last place that is known
            raise
        if (
            not recorded
        ):  # a new generation has begun meanwhile: what was published is dropped where it arrives
            self.reset()
            return wanted
        self._feeding = feeding
        for named in chosen:
            self._note(self.outstanding, named, set())
        return len(chosen)
