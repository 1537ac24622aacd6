"""How it is brought: complete answers in unusual pieces."""

from __future__ import annotations

import random
import zlib

from benchmarks.reference_server.answer import BROAD_WORDS, words
from benchmarks.reference_server.scene import Builder, Scene
from benchmarks.reference_server.script import Script, Step

HUGE_FRAME_CHARS = 10_000_000
DRIP_S = 0.05
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
GZIP_WINDOW = 31
"""zlib's parameter for its largest window with gzip's head."""


def split_bytes(scene: Scene) -> Script:
    """Characters of up to 4 bytes, chunks of 1 to 7 bytes, sends cut at any byte."""
    script = scene.whole(scene.answer(words(scene.settings.tokens, BROAD_WORDS)))
    sizes = random.Random(0)
    script.steps = [piece for step in script.steps for piece in _split(step, sizes)]
    script.cut = True
    return script


def _split(step: Step, sizes: random.Random) -> list[Step]:
    pieces, begin = [], 0
    while begin < len(step.data):
        end = min(begin + sizes.randint(1, 7), len(step.data))
        pieces.append(step._replace(data=step.data[begin:end], begins=not begin, ends=end == len(step.data)))
        begin = end
    return pieces


def slow_drip(scene: Scene) -> Script:
    """The first frame with text one byte at a time, over 50 ms; what follows is due so much later."""
    script = scene.whole(scene.answer())
    place = _first_text(script)
    if place is None:
        return script
    step = script.steps[place]
    data, last = step.data, len(step.data) - 1
    drops = [
        step._replace(
            due_s=step.due_s + DRIP_S * i / max(last, 1),
            data=data[i : i + 1],
            begins=i == 0,
            ends=i == last,
        )
        for i in range(len(data))
    ]
    later = [following._replace(due_s=following.due_s + DRIP_S) for following in script.steps[place + 1 :]]
    script.steps = script.steps[:place] + drops + later
    return script


def coalesced(scene: Scene) -> Script:
    """All frames in one send, when the last one is due."""
    script = scene.whole(scene.answer())
    end_s = script.steps[-1].due_s
    script.steps = [step._replace(due_s=end_s) for step in script.steps]
    script.headers_due_s = end_s
    script.one_send = True
    return script


def huge_frame(scene: Scene) -> Script:
    """A first token of 10 MB."""
    script = scene.whole(scene.answer())
    place = _first_text(script)
    if place is not None:
        huge = scene.dialect.text(("0123456789" * (HUGE_FRAME_CHARS // 10),), 1)
        script.steps[place] = script.steps[place]._replace(data=huge)
    return script


def compressed(scene: Scene) -> Script:
    """Content-Encoding: gzip, whether accepted or not; every frame can be unpacked as it comes."""
    script = scene.whole(scene.answer())
    packer = zlib.compressobj(wbits=GZIP_WINDOW)
    packed = [packer.compress(step.data) + packer.flush(zlib.Z_SYNC_FLUSH) for step in script.steps]
    packed[-1] += packer.flush()
    script.steps = [step._replace(data=data) for step, data in zip(script.steps, packed, strict=True)]
    script.fields = (("Content-Encoding", "gzip"),)
    return script


def early_hints(scene: Scene) -> Script:
    """An informational response (103) before the real one."""
    script = scene.whole(scene.answer())
    script.preamble = EARLY_HINTS
    return script


def _first_text(script: Script) -> int | None:
    return next((i for i, step in enumerate(script.steps) if step.kind == "text"), None)


SCENARIOS: dict[str, Builder] = {
    "split-bytes": split_bytes,
    "slow-drip": slow_drip,
    "coalesced": coalesced,
    "huge-frame": huge_frame,
    "gzip": compressed,
    "early-hints": early_hints,
}
