"""Summaries, decisions and documents of an execution in the store."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import redis
from redis.client import NEVER_DECODE

from contracts.manifest import Round, SlotIdentity
from contracts.store.keys import execution_key
from contracts.store.scripts import PUT_ROUND, PUT_SUMMARY

PART = 2**20
"""Bytes of a document that are read at once."""


class Summaries:
    """Part of :class:`contracts.store.Store`."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._put_summary = client.register_script(PUT_SUMMARY)
        self._put_round = client.register_script(PUT_ROUND)

    def put_summary(
        self,
        execution: str,
        configuration_id: str,
        text: str,
        *,
        figures: str = "",
        runs: int,
        voids: int = 0,
    ) -> int:
        """Store a configuration's summary of ``runs`` runs where it is the one that is due, once.

        Return how many configurations are still due. ``figures``: what decisions on further runs rest on. ``voids``: what
        :meth:`voids` told before the outcomes were read; if one was taken back since, the summary is of another state.
        """
        keys = [execution_key(execution, name) for name in ("summaries", "figures", "due", "counts")]
        arguments: list[str | int] = [configuration_id, text, figures, runs, voids]
        return int(cast(int, self._put_summary(keys=keys, args=arguments)))

    def voids(self, execution: str, configuration_id: str) -> int:
        """Return how many outcomes of a configuration were taken back."""
        found = self.client.hget(execution_key(execution, "counts"), f"voids:{configuration_id}")
        return int(cast(str, found or "0"))

    def due(self, execution: str) -> dict[str, int]:
        """Return the ids of the configurations whose next summary is not there, with the runs that it needs."""
        found = cast(dict[str, str], self.client.hgetall(execution_key(execution, "due")))
        return {configuration_id: int(runs) for configuration_id, runs in found.items()}

    def figures(self, execution: str) -> dict[str, str]:
        """Return what decisions rest on, by configuration's id."""
        return cast(dict[str, str], self.client.hgetall(execution_key(execution, "figures")))

    def summaries(self, execution: str) -> dict[str, str]:
        """Return the summaries, JSON, by configuration's id."""
        return cast(dict[str, str], self.client.hgetall(execution_key(execution, "summaries")))

    def put_round(self, execution: str, round_: Round, due: dict[str, int]) -> Round | None:
        """Record the decision on a block, once, and with it which summaries are due; return the one that counts.

        ``None``: it is not the time to decide: summaries are due, or the execution is not running.
        """
        keys = [execution_key(execution, name) for name in ("rounds", "due", "state")]
        pairs = [part for pair in due.items() for part in pair]
        text = self._put_round(keys=keys, args=[round_.block, round_.model_dump_json(), *pairs])
        return None if text is None else Round.model_validate_json(str(text))

    def round(self, execution: str, block: int) -> Round | None:
        """Return the decision on a block; ``None``: there is none yet."""
        text = self.client.hget(execution_key(execution, "rounds"), str(block))
        return None if text is None else Round.model_validate_json(str(text))

    def rounds(self, execution: str) -> list[Round]:
        """Return all decisions on blocks, in their order."""
        texts = cast(list[str], self.client.hvals(execution_key(execution, "rounds")))
        return sorted((Round.model_validate_json(text) for text in texts), key=lambda one: one.block)

    def may_decide(self, execution: str, block: int, *, expires_s: int = 10) -> bool:
        """Return ``True`` to one caller within ``expires_s``: it publishes the decision on the block."""
        return bool(self.client.set(execution_key(execution, f"decider:{block}"), "1", nx=True, ex=expires_s))

    def may_finalise(self, execution: str, *, expires_s: int = 15) -> bool:
        """Return ``True`` to one caller within ``expires_s``: it publishes the finaliser."""
        return bool(self.client.set(execution_key(execution, "finaliser"), "1", nx=True, ex=expires_s))

    def renew_finaliser(self, execution: str, *, expires_s: int = 30) -> None:
        """Say that the finaliser is at work: nobody publishes another one meanwhile."""
        self.client.set(execution_key(execution, "finaliser"), "1", ex=expires_s)

    def put_slot_identities(self, execution: str, identities: Iterable[SlotIdentity]) -> None:
        """Record who measured; of a slot the first identity is kept."""
        with self.client.pipeline(transaction=False) as pipe:
            for identity in identities:
                pipe.hsetnx(execution_key(execution, "slots"), identity.slot, identity.model_dump_json())
            pipe.execute()

    def slot_identities(self, execution: str) -> list[SlotIdentity]:
        texts = cast(dict[str, str], self.client.hgetall(execution_key(execution, "slots")))
        return [SlotIdentity.model_validate_json(texts[slot]) for slot in sorted(texts)]

    def put_document(self, execution: str, name: str, parts: Iterable[str]) -> None:
        """Store a document, compressed as it is made: that of a large sweep is many MB."""
        packing = zlib.compressobj(1)
        packed = [packing.compress(part.encode()) for part in parts]
        packed.append(packing.flush())
        self.client.hset(execution_key(execution, "documents"), name, b"".join(packed))

    def documents(self, execution: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the names and contents of the documents, one at a time and in parts."""
        key = execution_key(execution, "documents")
        # The client decodes all replies to text, these are bytes.
        ask = cast(Callable[..., bytes], self.client.execute_command)
        for name in sorted(cast(list[str], self.client.hkeys(key))):
            yield name, _unpacked(ask("HGET", key, name, **{NEVER_DECODE: []}))

    def put_ending(self, execution: str, text: str) -> None:
        """Store what is said when the sweep has ended (:class:`analysis.ending.Ending`), JSON."""
        self.client.set(execution_key(execution, "ending"), text)

    def ending(self, execution: str) -> str | None:
        return cast(str | None, self.client.get(execution_key(execution, "ending")))


def _unpacked(packed: bytes) -> Iterator[bytes]:
    unpacking = zlib.decompressobj()
    while packed:
        yield unpacking.decompress(packed, PART)
        packed = unpacking.unconsumed_tail
    yield unpacking.flush()
