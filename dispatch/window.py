"""How much of a sweep to keep published beyond what runs: enough that no slot waits, little enough to share.

A pool's queue is first in, first out, so sweeps in it get slots in proportion to what each keeps published. The window
is a base that is the same for all, ``2 × slots``, plus a few times what was drained since the last look. Only the
second part follows the share that a sweep had; the first pulls any two windows together, and so their shares: with a
base ``c`` and ``w`` units drained in ``LOOKS_AHEAD`` looks, their difference shrinks by ``w / (2c + w)`` each time the
queue turns over. Where jobs are long beside a look, nothing but the base is left, and all windows are equal at once.

So jobs are shared equally, not their time. A unit of a plot is as long as many jobs: of these a sweep keeps no more out
than its part of the slots, and by itself one more, which waits.
"""

from __future__ import annotations

LOOK_S = 0.2
"""How often the feeder looks, s."""

LOOKS_AHEAD = 3
"""Looks whose drain is kept beside the base. One is drained until the next look, the others are for a look that comes
late. More of them would stand longer in the way of a sweep that begins later."""

GROWTH = 0.5
"""Share of the way to a larger window that one look goes. A sweep's messages lie in the queue in lumps and are drained
so; to fall slower than to grow holds the window at the lump's size, without which a small share stays small."""

DECAY = 0.1
"""Share of the way to a smaller one."""

LARGEST = 5_000
"""Two seconds of what one producer can publish: some 2,500 messages a second on two cores."""


def first_window(slots: int, *, plots: bool = False) -> int:
    """Return the window of a sweep that begins: two jobs for each live slot of its pool, or one unit of a plot."""
    return 1 if plots else 2 * max(1, slots)


def room(window: int, *, outstanding: int, slots: int, plots: bool = False, sweeps: int = 1) -> int:
    """Return how many units to publish now: so many that ``window`` wait when every slot has one.

    Args:
        window: Of :func:`first_window` or :func:`next_window`.
        outstanding: Units of this sweep that were published and are not done, those that run included.
        slots: Slots of the pool that are live.
        plots: The units are those of plots.
        sweeps: Sweeps that have jobs in the pool or for it; those with plots leave the others their part of the slots.
    """
    held = slots
    if plots and sweeps > 1:
        held = -(-slots // sweeps) - 1  # the window's one is among its part
    return max(0, window + held - outstanding)


def next_window(
    window: int, *, outstanding: int, queued: int, slots: int, plots: bool = False, sweeps: int = 1
) -> int:
    """Return the window after one look.

    To be asked every :data:`LOOK_S`, before the queue is filled up again, while the sweep has more to publish; what
    there is room for then was done since the last look.

    Args:
        window: That the queue was filled up to at the look before.
        outstanding: As of :func:`room`, as are ``slots``, ``plots`` and ``sweeps``.
        queued: Units that wait in the pool's queue, of all sweeps.
    """
    base = first_window(slots, plots=plots)
    done = room(window, outstanding=outstanding, slots=slots, plots=plots, sweeps=sweeps)
    if plots:
        done = max(0, done - 1)  # one unit in a look is no rate where units take minutes
    wanted = base + LOOKS_AHEAD * done
    if queued > 0:
        following = window + (GROWTH if wanted > window else DECAY) * (wanted - window)
    else:  # slots may have waited already
        following = float(max(wanted, window + 1 if plots else 2 * window))
    return min(LARGEST, max(base, int(following)))
