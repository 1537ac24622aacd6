"""Ingest of files that are wrong, large, deep or not what they seem: each counts, none raises."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from analysis.grounding import reading as reading_module
from analysis.grounding.reading import facts_of_files
from contracts import corpus as corpus_module
from contracts.corpus import CorpusTooLarge, digest, discover, open_file
from contracts.tables import read as read_module
from contracts.tables.table import TOO_MANY_CELLS
from worker.workloads.agent import ingest as module
from worker.workloads.agent.digest import table_digest
from worker.workloads.agent.ingest import Ingested, ingest

N = 150_000


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
def test_a_bad_file_counts_and_is_named(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.csv").write_text("x\n1\n2\n")
    got = read(tmp_path)
    assert got.result.unparsed[f"{tmp_path.name}/{name}"].startswith(reason)
    assert got.result.files_total == 2
    assert [t.source for t in got.tables] == [f"{tmp_path.name}/good.csv"]


@pytest.mark.parametrize("name", ["a.csv", "a.md"])
def test_an_empty_file_has_no_table_and_is_no_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    got = read(tmp_path)
    assert (got.result.files_total, got.tables, got.result.unparsed) == (1, (), {})


def test_a_large_file_counts_and_is_hashed_but_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 10)
    before = read(tmp_path)
    assert before.result.unparsed[f"{tmp_path.name}/a.csv"].startswith("too large")
    (tmp_path / "a.csv").write_text("x\n" + "2\n" * 10)
    assert read(tmp_path).corpus_digest != before.corpus_digest


def test_all_files_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 10)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("x\n1\n2\n")
    got = read(tmp_path)
    assert [t.source for t in got.tables] == [f"{tmp_path.name}/a.csv"]
    assert len(got.result.unparsed) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"12\n" * N),
        ("a.csv", b"\n" * N),
        ("a.csv", b"ab," * N),
        ("a.csv", b'"\n",' * N),
        ("a.json", b"[" + b"12," * N + b"1]"),
        ("a.json", b"[" + b"{}," * N + b"1]"),
        ("a.json", b"[" + b'"ab",' * N + b"1]"),
        ("a.md", b"|a|\n|-|\n" + b"|1\n" * N),
        ("a.md", b"|ab" * N),
        ("a.md", b"ab\n" * N),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_a_file_of_very_many_cells_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    most = N // 50
    monkeypatch.setattr(read_module, "MAX_CELLS", most)
    monkeypatch.setattr(reading_module, "MAX_FILE_BYTES", 1 << 20)  # so much is taken to read into
    (tmp_path / name).write_bytes(content)
    size, prose = len(content), content.startswith(b"ab\n")
    del content
    for run in (ingest, facts_of_files):
        files = discover([tmp_path])
        tracemalloc.start()
        got = run(files)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < (2 << 20) + 4 * size + most * 150
        if isinstance(got, Ingested):
            expected = {} if prose else {f"{tmp_path.name}/{name}": TOO_MANY_CELLS}
            assert got.result.unparsed == expected and got.tables == ()
        else:
            assert got.unread == (0 if prose else 1)


def test_the_cells_of_all_files_are_bounded_and_the_facts_are_of_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_module, "MAX_CELLS", 10)
    for name in ("a", "b", "d"):
        (tmp_path / f"{name}.csv").write_text("x\n1\n2\n")
    (tmp_path / "c.csv").write_text("x\n" + "1\n" * 8)
    (tmp_path / "e.json").write_text("[1, 2, 3, 4, 5]")
    (tmp_path / "f.md").write_text("|x|\n|-|\n|1|\n|2|\n")
    got = read(tmp_path)
    assert [t.source.rpartition("/")[2] for t in got.tables] == ["a.csv", "b.csv", "d.csv"]
    assert set(got.result.unparsed.values()) == {TOO_MANY_CELLS} and len(got.result.unparsed) == 3
    facts = facts_of_files(discover([tmp_path]))
    assert facts.unread == 3
    assert sorted({facts.files[s.file].path.rpartition("/")[2] for s in facts.series}) == [
        *("a.csv", "b.csv", "d.csv")
    ]


def test_many_bad_files_are_counted_not_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPARSED_NAMED", 2)
    for i in range(5):
        (tmp_path / f"{i}.json").write_text("{")
    assert read(tmp_path).result.unparsed["…"] == "3 more files"


def test_links_out_of_the_root_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret.csv").write_text("x\n1\n")
    (root / "file.csv").symlink_to(outside / "secret.csv")
    (root / "folder").symlink_to(outside, target_is_directory=True)
    (root / "dangling.json").symlink_to(tmp_path / "nothing.json")
    assert read(root).result.files_total == 0


def test_a_link_that_takes_a_files_place_after_the_walk_is_not_followed(tmp_path: Path) -> None:
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


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    files = discover([tmp_path])
    (tmp_path / "a.csv").unlink()
    got = ingest(files)
    assert got.result.files_total == 1
    assert "Latest modified" not in got.result.data_summary


def test_names_with_control_characters_and_bad_bytes_can_be_stored(tmp_path: Path) -> None:
    name = os.fsdecode(b"bad\xff\n\x1b[31m.csv")
    (tmp_path / name).write_text("x\n1\n2\n")
    got = read(tmp_path)
    assert got.result.model_dump_json()
    assert "\x1b" not in got.result.data_summary + table_digest(got.tables, got.result.counts, 512)


def test_a_kind_without_files_has_its_heading_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    os.utime(tmp_path / "a.csv", (1763146410, 1763146410))
    assert read(tmp_path).result.data_summary == (
        f"Total files analyzed: 1\n\nCSV Files (1)\n  - {tmp_path.name}/a.csv\n"
        "  Latest modified: 2025-11-14 18:53:30 UTC\n\nJSON Files (0)\n\nMARKDOWN Files (0)"
    )
    assert "... and" not in read(tmp_path).result.data_summary


def test_utf16_as_powershell_writes_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("x;y\r\n1;2\r\n".encode("utf-16"))
    (table,) = read(tmp_path).tables
    assert [(c.name, c.cells) for c in table.columns] == [("x", ["1"]), ("y", ["2"])]


def test_files_whose_names_differ_in_case_only_have_one_order(tmp_path: Path) -> None:
    for name in ("b.md", "A.md", "a.md"):
        (tmp_path / name).write_text(name)
    assert [f.path.name for f in discover([tmp_path])] == ["A.md", "a.md", "b.md"]


def test_a_root_seen_through_two_paths_counts_once(tmp_path: Path) -> None:
    real = tmp_path / "real" / "sub"
    real.mkdir(parents=True)
    (real / "a.csv").write_text("x\n1\n")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert [f.shown for f in discover([tmp_path / "link" / "sub", real])] == ["sub/a.csv"]


def _loop(root: Path) -> None:
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "self.csv").symlink_to(root / "self.csv")


def _absolute_link_to_a_file(root: Path) -> None:
    (root / "passwd.csv").symlink_to("/etc/passwd")


def _relative_link_out(root: Path) -> None:
    (root / "up").symlink_to("../..", target_is_directory=True)


def _pipe(root: Path) -> None:
    os.mkfifo(root / "pipe.csv")


def _socket(root: Path) -> None:
    here = os.open(root, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{here}/socket.json")  # the path itself may be too long for a socket
    os.close(here)


def _device(root: Path) -> None:
    try:
        os.mknod(root / "zero.csv", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root may make devices")


@pytest.mark.parametrize(
    "make", [_loop, _absolute_link_to_a_file, _relative_link_out, _pipe, _socket, _device]
)
def test_what_is_no_file_below_the_root_is_passed_over(tmp_path: Path, make: Callable[[Path], None]) -> None:
    root = tmp_path / "a" / "root"
    root.mkdir(parents=True)
    (root / "good.csv").write_text("x\n1\n2\n")
    make(root)
    got = read(root)
    assert (got.result.files_total, got.result.unparsed) == (1, {})


@pytest.mark.parametrize(
    "put", [lambda p: os.mkfifo(p), lambda p: p.mkdir(), lambda p: p.symlink_to("/dev/zero")]
)
def test_what_took_a_files_place_after_the_walk_is_neither_read_nor_waited_for(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    files = discover([tmp_path])
    (tmp_path / "a.csv").unlink()
    put(tmp_path / "a.csv")
    got = ingest(files)
    assert got.corpus_digest is None
    assert got.result.unparsed[f"{tmp_path.name}/a.csv"].startswith("can't be read")
    with pytest.raises(OSError):
        digest(files)


def test_a_folder_that_became_a_link_after_the_walk_is_not_entered(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    for folder in (root / "sub", outside):
        (folder / "a.csv").write_text("x\nsecret\n")
    files = discover([root])
    (root / "sub" / "a.csv").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(outside, target_is_directory=True)
    assert ingest(files).tables == ()
    with pytest.raises(OSError):
        open_file(files[0])


def test_a_folder_that_becomes_a_link_during_the_walk_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.csv").write_text("x\n1\n")
    opened = os.open

    def swap(path: str, *arguments: Any, **options: Any) -> int:
        if path == "sub":
            (root / "sub").rmdir()
            (root / "sub").symlink_to(outside, target_is_directory=True)
        return opened(path, *arguments, **options)

    monkeypatch.setattr("os.open", swap)
    with pytest.raises(OSError, match=r"root/sub"):
        discover([root])


def test_a_root_may_be_a_link_but_not_lead_out_of_the_folder_that_it_must_be_inside(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    (data / "real").mkdir(parents=True)
    outside.mkdir()
    for folder in (data / "real", outside):
        (folder / "a.csv").write_text("x\n1\n")
    (data / "link").symlink_to("real")
    (data / "out").symlink_to(outside)
    assert len(discover([data / "link"], inside=data)) == 1
    assert len(discover([data / "out"])) == 1
    for root in (data / "out", outside, data / ".." / "outside", Path("/etc")):
        with pytest.raises(PermissionError, match="leads out of"):
            discover([root], inside=data)


def test_a_huge_sparse_file_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(CorpusTooLarge, match=r"huge\.csv: larger than 1024 MiB; leave it out"):
        discover([tmp_path])


def test_large_files_of_other_kinds_do_not_count(tmp_path: Path) -> None:
    with (tmp_path / "model.gguf").open("wb") as file:
        file.truncate(10 << 30)
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert len(discover([tmp_path])) == 1


@pytest.mark.parametrize(
    ("bound", "value", "reason"),
    [
        ("MAX_FILES", 3, "more than 3 csv, json and md files"),
        ("MAX_ENTRIES", 5, "more than 5 names"),
        ("MAX_BYTES_IN_ALL", 15, "hold more than"),
        ("MAX_DEPTH", 1, "nested deeper than 1 levels"),
    ],
)
def test_a_corpus_beyond_a_bound_is_refused_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, reason: str
) -> None:
    deep = tmp_path / "b" / "c"
    deep.mkdir(parents=True)
    for name in ("1.csv", "2.csv", "3.md", "b/4.json"):
        (tmp_path / name).write_text("1234")
    roots = [tmp_path / "1.csv", tmp_path]
    assert len(discover(roots)) == 4
    monkeypatch.setattr(corpus_module, bound, value)
    with pytest.raises(CorpusTooLarge, match=reason):
        discover(roots)


def test_a_folder_of_a_million_names_is_given_up_at_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entry:
        name = "x.bin"

        @staticmethod
        def is_dir(**_: Any) -> bool:
            return False

    class Endless:
        listed = 0

        def __enter__(self) -> Endless:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __iter__(self) -> Endless:
            return self

        def __next__(self) -> type[Entry]:
            Endless.listed += 1
            return Entry

    monkeypatch.setattr("os.scandir", lambda _: Endless())
    with pytest.raises(CorpusTooLarge, match="more than 1000000 names"):
        discover([tmp_path])
    assert Endless.listed == corpus_module.MAX_ENTRIES + 1


def test_a_file_that_grows_while_it_is_read_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "MAX_BYTES", 1 << 20)
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    files = discover([tmp_path])
    grown = threading.Event()

    def chunks(stream: BinaryIO) -> Iterator[bytes]:
        with path.open("ab") as file:
            file.write(b"1\n" * (1 << 20))
        grown.set()
        return corpus_module.chunks(stream)

    monkeypatch.setattr(module, "chunks", chunks)
    got = ingest(files)
    assert grown.is_set()
    assert got.corpus_digest is None
    assert got.result.unparsed[f"{tmp_path.name}/a.csv"] == "can't be read: larger than 1 MiB"


def test_a_file_that_changed_since_the_plan_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    planned = digest(discover([tmp_path]))
    assert read(tmp_path).corpus_digest == planned
    (tmp_path / "a.csv").write_text("x\n2\n")
    assert read(tmp_path).corpus_digest != planned


def test_nothing_is_decompressed(tmp_path: Path) -> None:
    bomb = gzip.compress(b"x\n" * (8 << 20))
    for name in ("a.csv", "a.json", "a.csv.gz", "a.zip"):
        (tmp_path / name).write_bytes(bomb)
    got = read(tmp_path)
    assert got.result.files_total == 2
    assert [reason[:12] for reason in got.result.unparsed.values()] == ["bad encoding", "bad encoding"]


def test_one_line_of_many_megabytes_is_refused_or_read_but_never_raises(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_bytes(b"ab," * (2 << 20))
    (tmp_path / "long.csv").write_bytes(b"x" * (4 << 20))
    (tmp_path / "long.json").write_bytes(b'{"' + b"k" * (4 << 20) + b'": 1}')
    (tmp_path / "long.md").write_bytes(b"|" + b"y" * (4 << 20) + b"|\n|-|\n|z|\n")
    got = read(tmp_path)
    assert got.result.files_total == 4
    assert got.result.unparsed[f"{tmp_path.name}/wide.csv"].startswith("too many cells")


def test_names_with_line_breaks_escapes_and_bad_bytes_are_counted_hashed_and_shown_safely(
    tmp_path: Path,
) -> None:
    names = [
        b"a\nb.csv",
        b"\x1b]0;owned\x07.csv",
        b"\xff\xfe.md",
        b"-rf.json",
        b"=cmd().csv",
        b"\xe2\x80\xae.csv",
    ]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_text("x\n1\n" if name.endswith(b"csv") else "1")
    got = read(tmp_path)
    assert got.result.files_total == len(names)
    assert got.corpus_digest == digest(discover([tmp_path]))
    shown = got.result.model_dump_json() + table_digest(got.tables, got.result.counts, 512)
    assert not any(c in shown for c in ("\x1b", "\x07", "\u202e", "\\u001b", "\\udcff"))
