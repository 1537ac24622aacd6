"""When the requests of an open loop are due: decided before the first is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from worker.workloads.prompts.draws import exponential, uniform


def arrivals(rate: float, kind: Literal["poisson", "constant"], *key: object) -> Iterator[float]:
    """Yield times of arrival without end, s from the start.

    ``constant``: number / ``rate`` from 0 on. ``poisson``: sums of exponential gaps with the mean 1 / ``rate``; with the same key
    the gaps of all rates are alike but for their scale.
    """
    at, number = 0.0, 0
    while True:
        if kind == "poisson":
            at += exponential(uniform("arrival", *key, number)) / rate
        else:
            at = number / rate
        yield at
        number += 1


def schedule(
    times: Iterator[float], *, requests: int | None, duration_s: float | None, most: int
) -> tuple[list[float], bool]:
    """Return the times of the first ``requests`` that come before ``duration_s``, at most ``most`` of them.

    Also whether ``most`` cut it short. Either ``requests`` or ``duration_s`` is given.
    """
    made: list[float] = []
    for at in times:
        if (duration_s is not None and at >= duration_s) or len(made) == requests:
            return made, False
        if len(made) >= most:
            return made, True
        made.append(at)
    return made, False
