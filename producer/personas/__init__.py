"""The personas that Chimera ships, and those of a sweep file as texts."""

from __future__ import annotations

from pathlib import Path

from contracts.failures import InputError

_HERE = Path(__file__).parent
SHIPPED = tuple(sorted(path.stem for path in _HERE.glob("*.txt")))
MAX_CHARS = 20_000


def persona_text(given: str, base_dir: Path) -> str:
    """Return a persona's text: a shipped one's by its name, a file's by a path that begins with ``.`` or ``/``, else what is given.

    Raises:
        InputError: the file can't be read, or the text is empty or too long; without the place in the sweep file.
    """
    if given in SHIPPED:
        return (_HERE / f"{given}.txt").read_text(encoding="utf-8").strip()
    path = base_dir / given
    if not given.startswith((".", "/", "~")) or (len(given.split()) > 1 and not _is_there(path)):
        if _is_there(path):
            raise InputError(f"there is a file of the name {given!r}: write ./{given} for it")
        if len(given.split()) == 1:
            raise InputError(
                f"{given!r} is no persona that Chimera ships ({', '.join(SHIPPED)}), no path (./{given}) and too short for a text"
            )
        text = given
    else:
        try:
            path = base_dir / Path(given).expanduser()
            if path.exists() and not path.is_file():  # a pipe or a device would be waited for, or has no end
                raise InputError(f"the persona's file {given} is no file")
            with path.open(encoding="utf-8") as file:
                text = file.read(MAX_CHARS + 1)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"the persona's file can't be read: {error}") from None
    text = text.strip()
    if not text or len(text) > MAX_CHARS:
        raise InputError(f"a persona has 1 to {MAX_CHARS} characters, this one {len(text)}")
    return text


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False
