"""Conversations as they go on: which turn is next, and what was said before it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from contracts.prompts_file import Conversation
from worker.workloads.prompts.source import Source


@dataclass(frozen=True)
class Turn:
    """One prompt of a conversation, with what came before."""

    prompt: str
    system: str | None
    history: tuple[tuple[str, str], ...]
    number: int | None
    """1-based; ``None``: it is no conversation."""
    input_tokens: int | None
    output_tokens: int | None


class Dialogue:
    """One conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._history: tuple[tuple[str, str], ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether another turn follows the next one, so that its answer has to be read at once."""
        return len(self._history) + 1 < len(self._conversation.turns)

    @property
    def turn(self) -> Turn:
        """The next one."""
        conversation, place = self._conversation, len(self._history)
        return Turn(
            prompt=conversation.turns[place],
            system=conversation.system,
            history=self._history,
            number=place + 1 if len(conversation.turns) > 1 else None,
            input_tokens=conversation.input_tokens,
            output_tokens=conversation.output_tokens,
        )

    def answered(self, text: str) -> None:
        """Take the answer to the turn: the next one carries both."""
        self._history = (*self._history, (self.turn.prompt, text))


class Dialogues:
    """All conversations of a run: new ones, and those that wait for their next turn."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.begun = 0
        """Conversations so far: none is begun twice, whatever the step."""
        self._waiting: deque[Dialogue] = deque()

    def new(self) -> Dialogue:
        self.begun += 1
        return Dialogue(self.source.conversation(self.begun - 1))

    def next(self) -> Dialogue:
        """Return the one that has waited longest for its next turn; where none waits, a new one."""
        return self._waiting.popleft() if self._waiting else self.new()

    def waits(self, dialogue: Dialogue) -> None:
        """It can go on."""
        self._waiting.append(dialogue)

    def forget(self) -> None:
        """Those that wait are not gone on with: a load begins with new ones."""
        self._waiting.clear()
