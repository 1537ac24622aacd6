"""File names of a text against those of the data."""

from __future__ import annotations

from collections import defaultdict

from contracts.facts import Facts


class Names:
    """The ingested files by their names."""

    def __init__(self, facts: Facts) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._spaced: dict[str, list[str]] = defaultdict(list)
        for file in facts.files:
            name = file.path.rpartition("/")[2]
            self._by_name[name.lower()].append(file.path)
            if " " in name:
                self._spaced[name.rpartition(" ")[2].lower()].append(name.lower())

    def find(self, written: str) -> str | None:
        """Return the path of the file that a text names; without a folder, any file of that name."""
        claimed = written.replace("\\", "/").removeprefix("./").lower()
        paths = self._by_name.get(claimed.rpartition("/")[2], [])
        for path in paths:
            known = path.lower()
            if f"/{known}".endswith(f"/{claimed}") or ("/" in known and f"/{claimed}".endswith(f"/{known}")):
                return path if len(paths) == 1 else f"{path} (one of {len(paths)} of this name)"
        return None

    def start_of(self, line: str, start: int, end: int) -> int:
        """Return where a file's name begins: further left where it has blanks, further right in "文件a.csv"."""
        written = line[start:end]
        if self.find(written) is not None:
            return start
        for name in self._spaced.get(written.lower(), ()):
            begin = end - len(name)
            if begin >= 0 and line[begin:end].lower() == name:
                return begin
        for i in range(len(written) - 1, 0, -1):
            if not written[i - 1].isascii():
                return start + i if self.find(written[i:]) is not None else start
        return start
