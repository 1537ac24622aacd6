"""What is said: answers of every kind, all of them complete."""

from __future__ import annotations

from benchmarks.reference_server.answer import findings, with_finish, words
from benchmarks.reference_server.dialect import Counted
from benchmarks.reference_server.scene import Builder, Scene
from benchmarks.reference_server.script import Script, Step

REPEATS = 31
"""Equal tokens after which Ollama ends a stream without a final record."""
REPEATED = (*words(4), *([" again"] * REPEATS))
PHRASE = (" and", " so", " it", " goes", ".")
PHRASE_REPEATS = 12
THOUGHTS = ("Let", " me", " think", " about", " this.")
TOKENS_PER_FRAME = 4


def normal(scene: Scene) -> Script:
    """A complete answer, one token per frame."""
    return scene.whole(scene.answer())


def cold(scene: Scene) -> Script:
    """As normal; loading the model takes 200 ms where the server has no other time for it."""
    return normal(scene)


def truncated(scene: Scene) -> Script:
    """A complete answer that says that it ended at the length limit."""
    return scene.whole(with_finish(scene.answer(), "length"))


def many_per_frame(scene: Scene) -> Script:
    """Four tokens in every frame but the first, when the last of them is due."""
    return scene.whole(scene.answer(per_frame=TOKENS_PER_FRAME))


def reasoning(scene: Scene) -> Script:
    """Five tokens of reasoning before the answer, where the format can tell them apart."""
    return scene.whole(scene.answer(thoughts=THOUGHTS))


def empty_first_frames(scene: Scene) -> Script:
    """Three frames with an empty text at half of the time to the first token."""
    script = scene.whole(scene.answer())
    return _early(script, [scene.dialect.empty()] * 3)


def role_only(scene: Scene) -> Script:
    """A frame that names the role alone at half of the time to the first token; without text elsewhere."""
    script = scene.whole(scene.answer())
    return _early(script, scene.dialect.opening() or [scene.dialect.empty()])


def _early(script: Script, frames: list[bytes]) -> Script:
    early_s = script.steps[0].due_s / 2
    script.steps = [Step(early_s, frame, 0, "empty") for frame in frames] + script.steps
    script.headers_due_s = min(script.headers_due_s, early_s)
    script.joins = False
    return script


def short_answer(scene: Scene) -> Script:
    """Three words."""
    return scene.whole(scene.answer(words(3)))


def empty_answer(scene: Scene) -> Script:
    """Complete, without a word."""
    return scene.whole(scene.answer(()))


def repetition(scene: Scene) -> Script:
    """A complete answer that ends in one token 31 times."""
    return scene.whole(scene.answer(REPEATED))


def repeated_phrase(scene: Scene) -> Script:
    """A complete answer that ends in one phrase of five tokens twelve times."""
    return scene.whole(scene.answer((*words(4), *(PHRASE * PHRASE_REPEATS))))


def findings_json(scene: Scene) -> Script:
    """An agent's JSON, whether asked for or not."""
    return scene.whole(scene.answer(findings(scene.settings.tokens)))


def no_counters(scene: Scene) -> Script:
    """A complete answer without any of the server's counters."""
    return scene.whole(scene.answer(), Counted.NONE)


def nan_counters(scene: Scene) -> Script:
    """Counters that are NaN, infinite, negative, strings and truth values."""
    return scene.whole(scene.answer(), Counted.NAN)


def negative_counters(scene: Scene) -> Script:
    """Counters that are all negative."""
    return scene.whole(scene.answer(), Counted.NEGATIVE)


SCENARIOS: dict[str, Builder] = {
    "normal": normal,
    "cold": cold,
    "truncated": truncated,
    "many-per-frame": many_per_frame,
    "reasoning": reasoning,
    "empty-first-frames": empty_first_frames,
    "role-only": role_only,
    "short-answer": short_answer,
    "empty-answer": empty_answer,
    "repetition": repetition,
    "repeated-phrase": repeated_phrase,
    "findings-json": findings_json,
    "no-counters": no_counters,
    "nan-counters": nan_counters,
    "negative-counters": negative_counters,
}
