"""Ingest of files that are wrong, large, deep or not what they seem: each counts, none raises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.corpus import discover
from worker.workloads.agent import ingest as module
from worker.workloads.agent.digest import table_digest
from worker.workloads.agent.ingest import Ingested, ingest


def read(root: Path) -> Ingested:
    return ingest(discover([root]))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"{", "bad JSON: Expecting property name"),
        ("a.json", b"", "bad JSON: Expecting value"),
        ("a.json", b"[" * 100_000, "nested deeper than 64 levels"),
        ("a.json", b"[" * 100 + b"1" + b"]" * 100, "nested deeper than 64 levels"),
        ("a.json", b"1" * 5000, "bad JSON: a number with too many digits"),
        ("a.json", b'{"a": "\xff"}', "bad encoding: not UTF-8 at byte 7"),
        ("a.csv", b"a,b\n1,\xe9\n", "bad encoding: not UTF-8 at byte 6"),
        ("a.csv", b"\xff\xfea\x00\n", "bad encoding: not UTF-16"),
        ("a.csv", b"a,b\n1,\x00\n", "not text: holds NUL characters"),
        ("a.csv", b'a\n"' + b"x" * 200_000, "bad CSV: field larger than field limit"),
        ("a.csv", b"x," * 20_000, "more than 10000 columns"),
        ("a.md", b"|x" * 20_000 + b"|\n" + b"|-" * 20_000 + b"|", "more than 10000 columns"),
        (
            "a.json",
            b"{%s}" % b",".join(b'"%d":1' % i for i in range(10_001)),
            "more than 10000 different paths",
        ),
        ("a.md", b"\x80", "bad encoding: not UTF-8 at byte 0"),
    ],
)
def test_a_bad_file_counts_and_is_named(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.csv").write_text("x\n1\n2\n")
    got = read(tmp_path)
    assert got.result.unparsed[f"{tmp_path.name}/{name}"].startswith(reason)
    assert got.result.files_total == 2
    assert [t.source for t in got.tables] == [f"{tmp_path.name}/good.csv"]


@pytest.mark.parametrize("name", ["a.csv", "a.md"])
def test_an_empty_file_has_no_table_and_is_no_error(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    got = read(tmp_path)
    assert (got.result.files_total, got.tables, got.result.unparsed) == (1, (), {})


def test_a_large_file_counts_and_is_hashed_but_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 10)
    before = read(tmp_path)
    assert before.result.unparsed[f"{tmp_path.name}/a.csv"].startswith("too large")
    (tmp_path / "a.csv").write_text("x\n" + "2\n" * 10)
    assert read(tmp_path).corpus_digest != before.corpus_digest


def test_all_files_together_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 10)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("x\n1\n2\n")
    got = read(tmp_path)
    assert [t.source for t in got.tables] == [f"{tmp_path.name}/a.csv"]
    assert len(got.result.unparsed) == 2


def test_many_bad_files_are_counted_not_all_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_UNPARSED_NAMED", 2)
    for i in range(5):
        (tmp_path / f"{i}.json").write_text("{")
    assert read(tmp_path).result.unparsed["…"] == "3 more files"


def test_links_out_of_the_root_are_not_followed(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret.csv").write_text("x\n1\n")
    (root / "file.csv").symlink_to(outside / "secret.csv")
    (root / "folder").symlink_to(outside, target_is_directory=True)
    (root / "dangling.json").symlink_to(tmp_path / "nothing.json")
    assert read(root).result.files_total == 0


def test_a_link_that_takes_a_files_place_after_the_walk_is_not_followed(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.csv").write_text("x\n1\n")
    (root / "a.csv").write_text("x\n1\n")
    files = discover([root])
    (root / "a.csv").unlink()
    (root / "a.csv").symlink_to(tmp_path / "secret.csv")
    got = ingest(files)
    assert got.tables == ()
    assert got.corpus_digest is None
    assert got.result.unparsed["root/a.csv"].startswith("can't be read")


def test_a_file_that_vanished_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    files = discover([tmp_path])
    (tmp_path / "a.csv").unlink()
    got = ingest(files)
    assert got.result.files_total == 1
    assert "Latest modified" not in got.result.data_summary


def test_names_with_control_characters_and_bad_bytes_can_be_stored(tmp_path):
    name = os.fsdecode(b"bad\xff\n\x1b[31m.csv")
    (tmp_path / name).write_text("x\n1\n2\n")
    got = read(tmp_path)
    assert got.result.model_dump_json()
    assert "\x1b" not in got.result.data_summary + table_digest(got.tables, got.result.counts, 512)


def test_a_kind_without_files_has_its_heading_only(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    os.utime(tmp_path / "a.csv", (1763146410, 1763146410))
    assert read(tmp_path).result.data_summary == (
        f"Total files analyzed: 1\n\nCSV Files (1)\n  - {tmp_path.name}/a.csv\n"
        "  Latest modified: 2025-11-14 18:53:30 UTC\n\nJSON Files (0)\n\nMARKDOWN Files (0)"
    )
    assert "... and" not in read(tmp_path).result.data_summary


def test_utf16_as_powershell_writes_it_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes("x;y\r\n1;2\r\n".encode("utf-16"))
    (table,) = read(tmp_path).tables
    assert [(c.name, c.cells) for c in table.columns] == [("x", ["1"]), ("y", ["2"])]


def test_files_whose_names_differ_in_case_only_have_one_order(tmp_path):
    for name in ("b.md", "A.md", "a.md"):
        (tmp_path / name).write_text(name)
    assert [f.path.name for f in discover([tmp_path])] == ["A.md", "a.md", "b.md"]


def test_a_root_seen_through_two_paths_counts_once(tmp_path):
    real = tmp_path / "real" / "sub"
    real.mkdir(parents=True)
    (real / "a.csv").write_text("x\n1\n")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert [f.shown for f in discover([tmp_path / "link" / "sub", real])] == ["sub/a.csv"]
