"""File names of a text against those of the data."""

from __future__ import annotations

from collections import defaultdict

from contracts.facts import Facts


class Names:
    """The ingested files by their names."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._spaced: dict[str, list[str]] = defaultdict(list)
        for index, file in enumerate(facts.files):
            name = file.path.rpartition("/")[2]
            self._by_name[name.lower()].append(index)
            if " " in name:
                self._spaced[name.rpartition(" ")[2].lower()].append(name.lower())

    def files(self, written: str) -> frozenset[int]:
        """Return the files (by index) that a text names; without a folder, all of that name."""
        claimed = written.replace("\\", "/").removeprefix("./").lower()
        found = []
        for index in self._by_name.get(claimed.rpartition("/")[2], ()):
            known = self._facts.files[index].path.lower()
            if f"/{known}".endswith(f"/{claimed}") or ("/" in known and f"/{claimed}".endswith(f"/{known}")):
                found.append(index)
        return frozenset(found)

    def said(self, files: frozenset[int]) -> str:
        """Return the path of the files that a text names."""
        path = self._facts.files[min(files)].path
        return path if len(files) == 1 else f"{path} (one of {len(files)} of this name)"

    def start_of(self, line: str, start: int, end: int) -> int:
        """Return where a file's name begins: further left where it has blanks, further right in "文件a.csv"."""
        written = line[start:end]
        if self.files(written):
            return start
        for name in self._spaced.get(written.lower(), ()):
            begin = end - len(name)
            if begin >= 0 and line[begin:end].lower() == name:
                return begin
        for i in range(len(written) - 1, 0, -1):
            if not written[i - 1].isascii():
                return start + i if self.files(written[i:]) else start
        return start
