"""Messages as Redis holds them: ids, routes, priorities, chords."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from contracts.queues import (
    AGGREGATE,
    AGGREGATE_QUEUE,
    MEASURE,
    TAKE_PLOT,
    aggregate_task_id,
    chord_id,
    job_task_id,
    slot_queue,
    ticket_task_id,
    unit_queue,
)
from contracts.store.queue_lengths import lists_of
from dispatch.dispatcher import Dispatcher
from tests.support.care import Care, Message, waiting
from tests.unit.dispatch.conftest import MakeCare

PLOTS: dict[str, Any] = {"axes": {"num_ctx": [512, 1024], "temperature": [0.2, 0.8]}, "runs": 4}


def chord_size(care: Care, chord: str) -> int | None:
    backend: Any = care.dispatcher._app.backend
    size = care.store.client.get(backend.get_key_for_group(chord, ".s").decode())
    return None if size is None else int(str(size))


def test_a_job_is_one_message_with_everything_derived(care_of: MakeCare) -> None:
    care = care_of(runs=2)
    care.feed_all()
    messages = waiting(care.store, care.pool)
    jobs = care.execution.jobs()
    assert [message.job_id for message in messages] == [job.job_id for job in jobs]
    for message, job in zip(messages, jobs, strict=True):
        configuration = job.configuration
        assert message.task == MEASURE
        assert message.id == job_task_id(care.x, 1, job.job_id)
        assert message.arguments == [
            *("measure", care.x, 1, configuration.id),
            *(job.run, job.block, None, job.job_id),
        ]
        assert message.headers["group"] == chord_id(care.x, 1, configuration.id)
        assert message.headers["shadow"] == f"test / {configuration.name} / run {job.run}"
        assert message.chord is not None
        assert message.chord["task"] == AGGREGATE
        assert message.chord["args"] == ["aggregate", care.x, configuration.id]
        assert message.chord["options"]["task_id"] == aggregate_task_id(message.headers["group"])
        assert message.chord["options"]["queue"] == AGGREGATE_QUEUE


def test_a_chord_is_as_large_as_what_is_missing_of_its_configuration(care_of: MakeCare) -> None:
    care = care_of(begin=False, runs=3)
    first, second = care.execution.plan.configurations
    done = [job for job in care.execution.jobs() if job.configuration == first or job.run == 2]
    care.execution.do(done)
    assert care.start() == 2
    assert chord_size(care, chord_id(care.x, 1, first.id)) is None
    assert chord_size(care, chord_id(care.x, 1, second.id)) == 2
    care.feed_all()
    groups = Counter(message.headers["group"] for message in waiting(care.store, care.pool))
    assert groups == {chord_id(care.x, 1, second.id): 2}


def test_a_later_block_has_chords_and_units_of_its_own(care_of: MakeCare) -> None:
    care = care_of(runs=2)
    unit = next(care.execution.maker.units())
    configuration = unit.jobs[0].configuration
    care.dispatcher.publish_block(7, [unit])
    (message,) = waiting(care.store, care.pool)
    chord = chord_id(care.x, 1, configuration.id, 7)
    assert message.headers["group"] == chord and chord_size(care, chord) == 1


def test_a_block_of_which_some_units_are_done_keeps_the_names_of_the_others(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    units = list(care.execution.maker.units())[:3]
    empty = type(units[1])(units[1].plot, units[1].load, ())
    care.dispatcher.publish_block(9, [units[0], empty, units[2]])
    names = [message.arguments[-1] for message in waiting(care.store, care.pool)]
    assert names == [unit_queue(care.x, 1, 0, 9), unit_queue(care.x, 1, 2, 9)]


@pytest.mark.parametrize(("priority", "step"), [(0, 9), (3, 6), (9, 0)])
def test_a_high_priority_is_a_low_step(care_of: MakeCare, priority: int, step: int) -> None:
    care = care_of(priority=priority, **PLOTS)
    care.feed_all()
    unit = care.dispatcher.units[0][0]
    for queue in (care.pool, unit):
        lengths = [int(str(care.store.client.llen(name))) for name in lists_of(queue)]
        assert lengths[step] > 0 and sum(lengths) == lengths[step]
        assert {message.priority for message in waiting(care.store, queue)} == {step}


def test_the_ticket_names_its_unit(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    tickets = waiting(care.store, care.pool)
    names = [unit_queue(care.x, 1, number) for number in range(len(tickets))]
    assert [ticket.arguments for ticket in tickets] == [["take_plot", care.x, 1, name] for name in names]
    assert [ticket.id for ticket in tickets] == [ticket_task_id(name) for name in names]
    assert {ticket.task for ticket in tickets} == {TAKE_PLOT}
    loads = {tuple({m.arguments[6] for m in waiting(care.store, name)}) for name in names}
    assert loads == {(1,), (2,), (3,)}


def test_with_fixed_slots_each_configuration_visits_all_in_turn(care_of: MakeCare) -> None:
    care = care_of(fixed_slots=("s0", "s1", "s2"), runs=6)
    care.feed_all()
    assert waiting(care.store, care.pool) == []
    by_slot = {slot: waiting(care.store, slot_queue(slot)) for slot in ("s0", "s1", "s2")}
    for messages in by_slot.values():
        counts = Counter(message.arguments[3] for message in messages)
        assert set(counts.values()) == {2} and len(counts) == 2


def test_with_fixed_slots_each_load_of_a_plot_is_on_the_next_slot(care_of: MakeCare) -> None:
    axes = {"num_ctx": [512, 1024, 2048], "temperature": [0.1, 0.2, 0.3, 0.4]}
    order = {"kind": "plots", "loads": 6}
    care = care_of(fixed_slots=("s0", "s1"), axes=axes, runs=6, order=order)
    care.feed_all()
    found: dict[str, Counter[str]] = {}
    for slot in ("s0", "s1"):
        for message in waiting(care.store, slot_queue(slot)):
            plot = care.execution.maker.configuration(message.arguments[3])
            assert plot is not None
            counts = found.setdefault(str(plot.parameters.num_ctx), Counter())
            counts[slot] += 1
    assert set(found) == {"512", "1024", "2048"}
    assert all(counts == {"s0": 12, "s1": 12} for counts in found.values()), found


def test_publishing_twice_is_publishing_the_same(care_of: MakeCare) -> None:
    care = care_of(runs=1)
    units = list(care.dispatcher.named(care.execution.maker.units()))
    Dispatcher.publish(care.dispatcher, units)
    Dispatcher.publish(care.dispatcher, units)

    def same(message: Message) -> tuple[Any, ...]:
        return message.id, message.arguments, message.chord, message.headers["group"]

    messages = [same(message) for message in waiting(care.store, care.pool)]
    assert messages[:2] == messages[2:] and messages[0] != messages[1]


def test_no_message_tells_more_of_its_arguments_than_the_job(care_of: MakeCare) -> None:
    care = care_of(runs=1)
    care.feed_all()
    for message in waiting(care.store, care.pool):
        assert message.headers["argsrepr"] == f"('{message.job_id}',)"
