"""Does what a Dockerfile does, step by step in a folder: no engine is needed, and the steps are the file's own."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "Dockerfile"
ABSOLUTE = re.compile(r"(?<![\w.$/])/(?=[\w$])")
AS_ROOT = ("groupadd", "useradd", "chown")
"""Steps that would change this machine; here they do nothing."""
UV = Path(sys.executable).with_name("uv")
PIP = f"""#!/bin/sh
if [ -x {UV} ] && (python=$2 command=$3; shift 3; exec {UV} pip "$command" --python "$python" "$@"); then exit; fi
exec {sys.executable} -m pip "$@"
"""
"""pip as the Dockerfile calls it; done by uv where that can, in a fifteenth of the time: options and hashes are the same."""


@dataclass
class Stage:
    """What one ``FROM`` begins, with what it takes over from the stage that it builds on."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    """Instruction, arguments."""

    def last(self, instruction: str) -> str:
        """Return the arguments of the last such instruction."""
        return [given for name, given in self.steps if name == instruction][-1]


def stages() -> dict[str, Stage]:
    """Return the Dockerfile's stages by name."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE)
    found: dict[str, Stage] = {}
    for line in re.sub(r"\\\n", " ", text).splitlines():
        instruction, _, given = line.strip().partition(" ")
        if instruction == "FROM":
            base, _, name = given.partition(" AS ")
            current = found[name] = Stage(name, base, list(found[base].steps) if base in found else [])
        elif instruction:
            current.steps.append((instruction, given.strip()))
    return found


class Built:
    """An image's file system below a folder.

    All stages share it: what a stage copies out of another must already lie there, at the same place.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root
        self.environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        harmless = root.with_name(f"{root.name}-commands")
        harmless.mkdir(parents=True)
        for name in AS_ROOT:
            (harmless / name).symlink_to("/bin/true")
        (harmless / "python").symlink_to(sys.executable)
        (harmless / "pip").write_text(PIP)
        (harmless / "pip").chmod(0o755)
        # By uv nothing is compiled when it is installed, which takes half of the time: what is used is, once.
        self.environment["PYTHONDONTWRITEBYTECODE"] = ""
        self.environment["PATH"] = f"{harmless}:{self.environment['PATH']}"

    def inside(self, text: str) -> str:
        """Return a text with each absolute path below the root."""
        return ABSOLUTE.sub(f"{self.root}/", text)

    def build(self, stage: Stage) -> None:
        """Carry out a stage's steps."""
        for instruction, given in stage.steps:
            getattr(self, f"_{instruction.lower()}", self._nothing)(given)

    def _nothing(self, given: str) -> None:
        """Metadata."""

    def _workdir(self, given: str) -> None:
        self.work = Path(self.inside(given))
        self.work.mkdir(parents=True, exist_ok=True)

    def _env(self, given: str) -> None:
        for word in shlex.split(given):
            name, _, value = word.partition("=")
            self.environment[name] = self.inside(value).replace("$PATH", self.environment["PATH"])

    def _copy(self, given: str) -> None:
        *sources, target = given.split()
        if sources[0].startswith("--from="):
            assert self.inside(sources[1]) == self.inside(target) and Path(self.inside(target)).exists()
            return
        for source in sources:
            assert (ROOT / source).exists(), source
            to = self.work / target
            if (ROOT / source).is_dir():
                shutil.copytree(
                    ROOT / source, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, to)

    def _run(self, given: str) -> None:
        command = ["/bin/sh", "-c", self.inside(given)]
        done = subprocess.run(command, cwd=self.work, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{given}\n{done.stdout}{done.stderr}"


def entrypoint(stage: Stage) -> list[str]:
    """Return the entrypoint; only the form that starts no shell is one."""
    words = json.loads(stage.last("ENTRYPOINT"))
    assert isinstance(words, list)
    return words
