"""One request to be answered, and the building blocks that scenarios are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.reference_server.answer import Answer, findings, plan_answer
from benchmarks.reference_server.dialect import Counted, Dialect, Generation
from benchmarks.reference_server.script import Fields, Script, Step
from benchmarks.reference_server.settings import Settings


@dataclass(frozen=True)
class Scene:
    """One request: settings, wire format, and what came before."""

    settings: Settings
    dialect: Dialect
    generation: Generation
    load_s: float
    """What loading the model takes now; 0 where it is loaded."""
    attempt: int = 1
    """Which request to this model and scenario it is, from 1, whatever the connection."""

    def answer(
        self, text: tuple[str, ...] | None = None, thoughts: tuple[str, ...] = (), per_frame: int = 1
    ) -> Answer:
        """Return the answer with its schedule: ``text``, or words, or JSON where it is asked for."""
        if text is None and self.generation.wants_json:
            text = findings(self.settings.tokens)
        generation = self.generation
        return plan_answer(
            self.settings, generation.prompt_tokens, self.load_s, generation.limit, text, thoughts, per_frame
        )

    def begun(self, answer: Answer, counted: Counted = Counted.TRUE) -> Script:
        """Return a response without an ending."""
        dialect = self.dialect
        dialect.counted = counted
        dialect.plan(answer)
        steps = [Step(answer.first_s, frame, 0, "empty") for frame in dialect.opening()]
        total = 0
        for pieces, due_s in answer.thoughts:
            total += len(pieces)
            data = dialect.reasoning(pieces[0], total)
            if data is not None:
                steps.append(Step(due_s, data, len(pieces), "reasoning"))
        for pieces, due_s in answer.frames:
            total += len(pieces)
            steps.append(Step(due_s, dialect.text(pieces, total), len(pieces)))
        return Script(
            content_type=dialect.content_type,
            steps=steps,
            headers_due_s=0.0 if dialect.early_headers else answer.first_s,
            joins=dialect.joins,
        )

    def whole(self, answer: Answer, counted: Counted = Counted.TRUE) -> Script:
        """Return a whole response."""
        script = self.begun(answer, counted)
        script.steps += [Step(answer.end_s, frame, 0, "end") for frame in self.dialect.ending(answer)]
        return script

    def broken_off(self) -> Script:
        """Return the first half of a response: at least one frame with text."""
        script = self.begun(self.answer())
        texts = [step for step in script.steps if step.kind == "text"]
        half = texts[: max(1, len(texts) // 2)]
        script.steps = [step for step in script.steps if step.kind != "text"] + half
        return script

    def refusal(self, status: int, message: str, kind: str, fields: Fields = ()) -> Script:
        """Return an error response."""
        body = json.dumps(self.dialect.refusal(status, message, kind)).encode()
        return Script(status=status, body=body, fields=fields)

    def unknown_model(self) -> Script:
        """Return the answer to a request for a model that is not there."""
        return self.refusal(404, f"model '{self.generation.model}' not found", "not_found_error")


Builder = Callable[[Scene], Script]
