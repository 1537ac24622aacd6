"""The scenarios: what a response does, written once for all wire formats."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

from benchmarks.reference_server.answer import (
    BROAD_WORDS,
    Answer,
    findings,
    plan_answer,
    with_finish,
    words,
)
from benchmarks.reference_server.dialect import Dialect, Generation, error_body
from benchmarks.reference_server.script import End, Script, Step
from benchmarks.reference_server.settings import Settings

HUGE_FRAME_CHARS = 10_000_000
REPEATS = 31

Builder = Callable[["Scene"], Script]


class Scene:
    """One request to be answered: settings, wire format, and whether the model has to be loaded."""

    def __init__(
        self, settings: Settings, dialect: Dialect, generation: Generation, load_s: float, openai: bool
    ) -> None:
        self.settings = settings
        self.dialect = dialect
        self.generation = generation
        self.load_s = load_s
        self.openai = openai

    def answer(self, text: tuple[str, ...] | None = None) -> Answer:
        if text is None and self.generation.wants_json:
            text = findings(self.settings.tokens)
        return plan_answer(self.settings, self.generation.prompt, self.load_s, self.generation.limit, text)

    def script(self, answer: Answer) -> Script:
        """Return opening and tokens, without an ending."""
        first_s = self.first_s(answer)
        steps = [Step(first_s, frame) for frame in self.dialect.opening()] if self.openai else []
        for piece, due_s in zip(answer.pieces, answer.due_s, strict=True):
            steps.append(Step(due_s, self.dialect.token(piece), tokens=1))
        # Ollama sends its headers with the first token; llama.cpp and vLLM do so at once.
        headers_due_s = 0.0 if self.openai else first_s
        return Script(content_type=self.dialect.content_type, steps=steps, headers_due_s=headers_due_s)

    def first_s(self, answer: Answer) -> float:
        return answer.due_s[0] if answer.due_s else self.load_s + self.settings.ttft_ms / 1e3

    def whole(self, answer: Answer, counters: str = "true") -> Script:
        """Return the whole response."""
        script = self.script(answer)
        end_s = max(answer.end_s, self.first_s(answer))
        script.steps += [Step(end_s, frame) for frame in self.dialect.ending(answer, counters)]
        return script

    def broken_off(self, keep: float = 0.5) -> Script:
        """Return opening and the first tokens only."""
        script = self.script(self.answer())
        tokens = [step for step in script.steps if step.tokens]
        kept = max(1, math.floor(len(tokens) * keep))
        script.steps = [step for step in script.steps if not step.tokens] + tokens[:kept]
        return script


def _normal(scene: Scene) -> Script:
    return scene.whole(scene.answer())


def _truncated(scene: Scene) -> Script:
    return scene.whole(with_finish(scene.answer(), "length"))


def _abort(scene: Scene) -> Script:
    return scene.script(scene.answer((*words(4), *([" again"] * REPEATS))))


def _repetition(scene: Scene) -> Script:
    return scene.whole(scene.answer((*words(4), *([" again"] * REPEATS))))


def _error_mid_stream(scene: Scene) -> Script:
    script = scene.broken_off()
    message = "an error was encountered while running the model: out of memory"
    script.steps.append(Step(script.steps[-1].due_s, scene.dialect.error(message)))
    return script


def _http_500(scene: Scene) -> Script:
    body = error_body(scene.openai, 500, "model runner has unexpectedly stopped")
    return Script(status=500, body=json.dumps(body).encode())


def _http_404(scene: Scene) -> Script:
    return unknown_model(scene.openai, scene.generation.model)


def unknown_model(openai: bool, model: str) -> Script:
    """Return the answer to a request for a model that is not there."""
    body = error_body(openai, 404, f"model '{model}' not found")
    return Script(status=404, body=json.dumps(body).encode())


def _hang_first(scene: Scene) -> Script:
    return Script(content_type=scene.dialect.content_type, headers_due_s=math.inf, end=End.HANG)


def _hang_mid(scene: Scene) -> Script:
    script = scene.broken_off()
    script.end = End.HANG
    return script


def _cut(scene: Scene) -> Script:
    script = scene.broken_off()
    script.end = End.RESET
    return script


def _garbage(scene: Scene) -> Script:
    script = scene.broken_off()
    script.steps.append(Step(script.steps[-1].due_s, scene.dialect.garbage()))
    return script


def _wrong_content_type(scene: Scene) -> Script:
    body = b"<html><body>Please log in to use this proxy</body></html>"
    return Script(content_type="text/html; charset=utf-8", body=body)


def _empty_first_frames(scene: Scene) -> Script:
    script = _normal(scene)
    early_s = script.steps[0].due_s / 2
    opening = [Step(early_s, frame) for frame in scene.dialect.opening() * 3]
    script.steps = opening + script.steps
    script.headers_due_s = min(script.headers_due_s, early_s)
    return script


def _reasoning(scene: Scene) -> Script:
    script = _normal(scene)
    early_s = script.steps[0].due_s / 2
    thoughts = [scene.dialect.reasoning(piece) for piece in words(5)]
    script.steps = [Step(early_s, frame) for frame in thoughts if frame is not None] + script.steps
    script.headers_due_s = min(script.headers_due_s, early_s)
    return script


def _split_bytes(scene: Scene) -> Script:
    script = scene.whole(scene.answer(words(scene.settings.tokens, BROAD_WORDS)))
    script.split = True
    return script


def _no_counters(scene: Scene) -> Script:
    return scene.whole(scene.answer(), counters="none")


def _nan_counters(scene: Scene) -> Script:
    return scene.whole(scene.answer(), counters="nan")


def _huge_frame(scene: Scene) -> Script:
    script = _normal(scene)
    place = next((i for i, step in enumerate(script.steps) if step.tokens), None)
    if place is not None:
        huge = scene.dialect.token("0123456789" * (HUGE_FRAME_CHARS // 10))
        script.steps[place] = replace(script.steps[place], data=huge)
    return script


def _empty_answer(scene: Scene) -> Script:
    return scene.whole(scene.answer(()))


def _findings_json(scene: Scene) -> Script:
    return scene.whole(scene.answer(findings(scene.settings.tokens)))


SCENARIOS: dict[str, Builder] = {
    "normal": _normal,
    "cold": _normal,
    "truncated": _truncated,
    "abort": _abort,
    "repetition": _repetition,
    "error-mid-stream": _error_mid_stream,
    "http-500": _http_500,
    "http-404": _http_404,
    "hang-first": _hang_first,
    "hang-mid": _hang_mid,
    "cut": _cut,
    "garbage": _garbage,
    "wrong-content-type": _wrong_content_type,
    "empty-first-frames": _empty_first_frames,
    "role-only": _empty_first_frames,
    "reasoning": _reasoning,
    "split-bytes": _split_bytes,
    "no-counters": _no_counters,
    "nan-counters": _nan_counters,
    "huge-frame": _huge_frame,
    "empty-answer": _empty_answer,
    "findings-json": _findings_json,
}
"""By name. A model called ``NAME:SCENARIO`` asks for one; else the server's own setting holds."""
