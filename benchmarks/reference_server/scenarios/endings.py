"""How it breaks off: responses that do not come to their end."""

from __future__ import annotations

import math

from benchmarks.reference_server.scenarios.answers import REPEATED
from benchmarks.reference_server.scene import Builder, Scene
from benchmarks.reference_server.script import End, Script, Step

ENDLESS_BYTES = 64 * 1024 * 1024
BLOCK = b"x" * 65_536


def abort(scene: Scene) -> Script:
    """The stream ends in good order, but without the final record, after 31 equal tokens."""
    return scene.begun(scene.answer(REPEATED))


def error_mid_stream(scene: Scene) -> Script:
    """An error record after half of the answer."""
    message = "an error was encountered while running the model: out of memory"
    return _after_half(scene, scene.dialect.error(message), "error")


def garbage(scene: Scene) -> Script:
    """A frame that is not JSON after half of the answer."""
    return _after_half(scene, scene.dialect.garbage(), "garbage")


def chunk_garbage(scene: Scene) -> Script:
    """A line that is no chunk size after half of the answer."""
    script = scene.broken_off()
    script.steps.append(Step(script.steps[-1].due_s, b"ZZ no size\r\n", 0, "garbage", raw=True))
    script.end = End.CLOSE
    return script


def endless_frame(scene: Scene) -> Script:
    """After half of the answer a frame that does not end: 64 MiB without a line's end."""
    script = _after_half(scene, scene.dialect.garbage().rstrip(b"\n"), "garbage")
    last = script.steps[-1]._replace(ends=False)
    block = last._replace(data=BLOCK, begins=False)
    script.steps[-1:] = [last, *[block] * (ENDLESS_BYTES // len(BLOCK))]
    return script


def hang_first(scene: Scene) -> Script:
    """Not a byte, and the connection stays open."""
    return Script(content_type=scene.dialect.content_type, headers_due_s=math.inf, end=End.HANG)


def hang_mid(scene: Scene) -> Script:
    """Nothing more after half of the answer, and the connection stays open."""
    return _half(scene, End.HANG)


def cut_first(scene: Scene) -> Script:
    """The connection is reset before the first byte, when the request was read."""
    return Script(content_type=scene.dialect.content_type, headers_due_s=math.inf, end=End.RESET)


def cut(scene: Scene) -> Script:
    """The connection is reset after half of the answer."""
    return _half(scene, End.RESET)


def close_mid(scene: Scene) -> Script:
    """The connection is closed in good order after half of the answer, without the last chunk."""
    return _half(scene, End.CLOSE)


def headers_only(scene: Scene) -> Script:
    """Status 200 and a clean end at once, without a frame."""
    return Script(content_type=scene.dialect.content_type)


def _half(scene: Scene, end: End) -> Script:
    script = scene.broken_off()
    script.end = end
    return script


def _after_half(scene: Scene, data: bytes, kind: str) -> Script:
    script = scene.broken_off()
    script.steps.append(Step(script.steps[-1].due_s, data, 0, kind))
    return script


SCENARIOS: dict[str, Builder] = {
    "abort": abort,
    "error-mid-stream": error_mid_stream,
    "garbage": garbage,
    "chunk-garbage": chunk_garbage,
    "endless-frame": endless_frame,
    "hang-first": hang_first,
    "hang-mid": hang_mid,
    "cut-first": cut_first,
    "cut": cut,
    "close-mid": close_mid,
    "headers-only": headers_only,
}
