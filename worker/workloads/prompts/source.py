"""Where the prompts of a run come from: a file, or a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.prompts_file import Conversation
from contracts.workloads import Synthetic
from worker.workloads.prompts.draws import digest, token_count, uniform
from worker.workloads.prompts.words import words

OWN_WORDS = 8
"""Of a made prompt's unique beginning: 64 bits."""
AHEAD_CHARS = 32 * 2**20


class Source(Protocol):
    """The conversations of a run, in the order in which they are begun."""

    @property
    def made(self) -> bool:
        """Whether they were made, and say nothing."""

    def conversation(self, index: int) -> Conversation:
        """Return one, from 0; there is no last one."""


@dataclass(frozen=True)
class Given:
    """The conversations of a file in an order by seed and run, again and again."""

    conversations: Sequence[Conversation]
    order: tuple[int, ...]
    made: bool = False

    @classmethod
    def shuffled(cls, conversations: Sequence[Conversation], seed: int, run: int) -> Given:
        places = sorted(range(len(conversations)), key=lambda place: digest(16, "order", seed, run, place))
        return cls(conversations, tuple(places))

    def conversation(self, index: int) -> Conversation:
        return self.conversations[self.order[index % len(self.order)]]


class Made:
    """Conversations of random words.

    Lengths and words are those of (seed, run, index), the same in every configuration. Only the beginnings, the shared ones and
    each prompt's own, are also those of ``once``, which no other measurement has: else the cache of a server would know the
    prompts from the configuration before, and which configuration comes first would decide what is measured.
    """

    made = True

    def __init__(self, synthetic: Synthetic, seed: int, run: int, once: str) -> None:
        self._synthetic = synthetic
        self._key = (seed, run)
        self._once = (once, seed, run)
        self._prefixes: dict[int, list[str]] = {}
        self._ahead: dict[int, Conversation] = {}

    def prepare(self, begin: int, count: int) -> None:
        """Make the conversations from ``begin`` on before the clock starts, up to 32 MiB of them."""
        chars = 0
        self._ahead.clear()
        for index in range(begin, begin + count):
            made = self._ahead[index] = self._made(index)
            chars += sum(map(len, made.turns))
            if chars > AHEAD_CHARS:
                return

    def conversation(self, index: int) -> Conversation:
        return self._ahead.pop(index, None) or self._made(index)

    def _made(self, index: int) -> Conversation:
        asked, key = self._synthetic, (*self._key, index)
        length = token_count(asked.input_tokens, uniform("input", *key))
        prefix = self._prefix(key)
        own = words(min(OWN_WORDS, length - len(prefix)), "own", *self._once, index)
        rest = words(length - len(prefix) - len(own), "words", *key)
        later = (words(length, "words", *key, turn) for turn in range(1, asked.turns))
        return Conversation(
            turns=tuple(" ".join(turn) for turn in ([*prefix, *own, *rest], *later)),
            output_tokens=token_count(asked.output_tokens, uniform("output", *key)),
            input_tokens=length,
        )

    def _prefix(self, key: tuple[object, ...]) -> list[str]:
        asked = self._synthetic
        if not asked.prefixes:
            return []
        number = int(uniform("prefix", *key) * asked.prefixes)
        if number not in self._prefixes:
            self._prefixes[number] = words(asked.prefix_tokens, "prefix", *self._once, number)
        return self._prefixes[number]
