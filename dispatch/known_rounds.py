"""The decisions on later blocks, as they become known."""

from __future__ import annotations

from contracts.manifest import Manifest, Round
from contracts.store import Store


class KnownRounds:
    """The rounds of one execution; :meth:`news` asks the store for those decided since."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._store = store
        self._execution = manifest.execution
        self._next = manifest.spec.first_runs + 1
        self._ended = manifest.spec.until_precise is None
        self.rounds: list[Round] = []
        self.news()

    @property
    def next_block(self) -> int | None:
        """The block that is to be decided on next; ``None``: the execution has all its jobs."""
        return None if self._ended else self._next

    def news(self) -> list[Round]:
        """Return the decisions since the last call."""
        found = []
        while not self._ended and (one := self._store.round(self._execution, self._next)) is not None:
            self._next = one.block + 1
            self._ended = not one.jobs
            found.append(one)
        self.rounds += found
        return found
