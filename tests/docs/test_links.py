"""Links of all Markdown files lead to files, folders and headings that are there; every page is reachable from the index."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = ("README.md", "docs/README.md")
_CODE = re.compile(r"^( *)```.*?^\1```\s*?$|(?<!`)`[^`]+`(?!`)", re.M | re.S)
_LINK = re.compile(
    r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^()\s>]+(?:\([^()]*\)[^()\s]*)?)>?(?:\s+\"[^\"]*\")?\)"
)
_ADDRESS = re.compile(r"[a-z][a-z+.-]*:", re.I)


def markdown_files() -> list[str]:
    """All Markdown files of the project, by their paths from the root."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    try:
        found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):  # no checkout: a folder of sources
        found = [p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/**/*.md")]]
    parts = ("shared/", "tools/")  # the latter's are parts of pages that are made from them
    return sorted({name for name in found if name and not name.startswith(parts) and (ROOT / name).exists()})


FILES = markdown_files()


@cache
def prose_of(name: str) -> str:
    """The text without code."""
    return _CODE.sub(lambda found: " " * len(found[0]), (ROOT / name).read_text(encoding="utf-8"))


def links_of(name: str) -> list[str]:
    return [unquote(found[1]) for found in _LINK.finditer(prose_of(name))]


def slug(heading: str) -> str:
    """GitHub's anchor of a heading: its words in lower case, joined by hyphens, without punctuation."""
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@cache
def anchors_of(name: str) -> frozenset[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    outside = re.sub(r"^( *)```.*?^\1```\s*?$", "", text, flags=re.M | re.S)
    seen: Counter[str] = Counter()
    found: set[str] = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", outside))
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", outside, re.M):
        made = slug(heading)
        found.add(f"{made}-{seen[made]}" if seen[made] else made)
        seen[made] += 1
    return frozenset(found)


def target_of(name: str, link: str) -> tuple[Path, str]:
    """Return where a relative link leads, and its anchor (may be empty)."""
    path, _, anchor = link.partition("#")
    return ((ROOT / name).parent / path).resolve() if path else ROOT / name, anchor


def wrong(name: str, link: str) -> str | None:
    """Return why a link leads nowhere; addresses of other sites are not asked."""
    if _ADDRESS.match(link):
        return None
    target, anchor = target_of(name, link)
    if not target.exists():
        return f"{name}: ({link}): there is no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target.relative_to(ROOT).as_posix()):
        return f"{name}: ({link}): there is no such heading"
    return None


@pytest.mark.parametrize("name", FILES)
def test_links_lead_somewhere(name: str) -> None:
    found = [why for link in links_of(name) if (why := wrong(name, link))]
    assert found == [], "\n".join(found)


def test_every_page_is_in_the_index() -> None:
    """From README.md and docs/README.md, by links only."""
    todo, reached = [*INDEX], {*INDEX}
    while todo:
        name = todo.pop()
        for link in links_of(name):
            if _ADDRESS.match(link):
                continue
            target = target_of(name, link)[0]
            if target.suffix == ".md" and target.is_relative_to(ROOT):
                found = target.relative_to(ROOT).as_posix()
                if found not in reached and found in FILES:
                    reached.add(found)
                    todo.append(found)
    assert sorted(name for name in FILES if name.startswith("docs/") and name not in reached) == []
    direct = {
        target_of("docs/README.md", link)[0]
        for link in links_of("docs/README.md")
        if not _ADDRESS.match(link)
    }
    pages = {path.resolve() for path in ROOT.glob("docs/*.md")} - {(ROOT / "docs/README.md").resolve()}
    assert sorted(path.name for path in pages - direct) == [], "a page that docs/README.md does not list"


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Over runs", "over-runs"),
        ("Who takes which job?", "who-takes-which-job"),
        ("`chimera status [A|B] [--watch]`", "chimera-status-ab---watch"),
        ("Ollama, llama.cpp & Co", "ollama-llamacpp--co"),
    ],
)
def test_anchors_follow_githubs_rule(heading: str, expected: str) -> None:
    assert slug(heading) == expected


def test_wrong_links_are_found() -> None:
    assert wrong("README.md", "docs/no_such_page.md") and wrong(
        "README.md", "docs/metrics.md#no-such-heading"
    )
    assert wrong("README.md", "docs/metrics.md#symbols") is None
