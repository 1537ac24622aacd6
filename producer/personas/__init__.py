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
    if not given.startswith((".", "/", "~")):
        if len(given.split()) == 1:
            raise InputError(
                f"{given!r} is no persona that Chimera ships ({', '.join(SHIPPED)}), no path (./{given}) and too short for a text"
            )
        text = given
    else:
        try:
            text = (base_dir / Path(given).expanduser()).read_text(encoding="utf-8")
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"the persona's file can't be read: {error}") from None
    text = text.strip()
    if not text or len(text) > MAX_CHARS:
        raise InputError(f"a persona has 1 to {MAX_CHARS} characters, this one {len(text)}")
    return text
