"""The fuzzer finds nothing in the clients, and finds what is put there for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from contracts.call import Outcome
from tools import fuzz
from tools.fuzzing.corpus import corpus
from tools.fuzzing.replay import SPECS, Case
from worker.servers import verdict
from worker.servers.counters import CounterReader

SECONDS = 60.0 if os.environ.get("CI") else 2.0
SEED = int(time.time()) if os.environ.get("CI") else 1
"""CI looks for something new each time; the seed stands in the message of a failure."""
ENOUGH_S = 60.0
ROOT = Path(__file__).parents[3]


def test_nothing_fails_hangs_or_is_invented(tmp_path: Path) -> None:
    report = fuzz.run(SECONDS, SEED, tmp_path)
    saved = "" if report.saved is None else report.saved.read_text()
    assert report.failure is None, f"seed {SEED}, case {report.cases}: {report.failure}\n{saved}"
    assert report.cases > 10 * SECONDS
    assert {Outcome.OK, Outcome.SERVER_ERROR, Outcome.ABORTED} <= report.outcomes.keys()


def test_the_corpus_holds_every_format() -> None:
    seeds = corpus()
    assert {seed.kind for seed in seeds} == SPECS.keys()
    assert sum(seed.is_stream for seed in seeds) > 100


def test_the_same_seed_gives_the_same_cases() -> None:
    seeds = corpus()
    first, again, other = (list(islice(fuzz.cases(seed, seeds), 50)) for seed in (7, 7, 8))
    assert first == again != other


def number_or_zero(self: CounterReader, name: str, value: object, limit: float) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit else 0


def for_ever(text: str) -> str:
    while True:
        pass


@pytest.mark.parametrize(
    ("place", "name", "defect", "failure"),
    [
        (verdict, "whole_characters", lambda text: text, "surrogates not allowed"),
        (CounterReader, "_number", number_or_zero, "was not sent"),
        (CounterReader, "_number", lambda self, name, value, limit: value, "Error"),
        (verdict, "whole_characters", for_ever, "Hang: not done after"),
    ],
    ids=["exception", "invented", "negative", "hang"],
)
def test_defects_are_found_saved_and_found_again(
    place: Any, name: str, defect: Any, failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(place, name, defect)
        patch.setattr(fuzz, "HANG_S", 1.0 if defect is for_ever else fuzz.HANG_S)
        report = fuzz.run(ENOUGH_S, 1, tmp_path)
        assert report.failure is not None and failure in report.failure
        assert report.saved is not None and report.saved.parent == tmp_path
        assert failure in (fuzz.replay(report.saved) or "")
    assert fuzz.replay(report.saved) is None


def test_a_case_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    case = Case("chat", (b"HTTP/1.1", b"\x00\xff", b""))
    case.save(tmp_path / "case.json", "why")
    assert Case.load(tmp_path / "case.json") == case


def test_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "tools/fuzz.py"]
    options = ["--seconds", "0.5", "--seed", "5", "--folder", str(tmp_path)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"seed 5: [1-9]\d* cases in [\d.]+ s \(\d+/s\): .*\n", done.stdout)
    case = tmp_path / "case.json"
    Case("ollama", (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)).save(case, "why")
    again = subprocess.run(
        [*command, "--replay", str(case)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (again.returncode, again.stdout) == (0, "all is well\n")
