"""A sweep, made in Python or read from its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from contracts.sweep import ServerKind, SweepSpec
from producer.plan import Plan, make_plan
from producer.sweep_file import checked, load
from producer.sweep_problems import Location

Value: TypeAlias = int | float | str | None
"""Of an axis; ``None`` and ``"default"`` leave the server's own."""
Point: TypeAlias = Mapping[str, Value]


class Sweep:
    """One experiment. It can't be changed; two are equal where all that a sweep file says of them is.

    The keyword arguments are the keys of a sweep file (docs/sweep_file.md), and so are the keys of what they hold; one
    that is ``None`` is not written there, and its default holds. Lists may be any sequence, also an array of NumPy,
    and paths any path. Relative paths are relative to the working directory of the call of :meth:`plan` or
    :func:`producer.run`; those of a sweep from a file, to the file's folder.

    Raises:
        InputError: with every problem, one a line: ``Sweep('name'): key: what is wrong``.
    """

    def __init__(
        self,
        *,
        name: str,
        workload: Mapping[str, Any],
        server: ServerKind | Mapping[str, Any],
        model: str | None = None,
        axes: Mapping[str, Iterable[Value]] | None = None,
        include: Iterable[Point] | None = None,
        exclude: Iterable[Point] | None = None,
        runs: int | Mapping[str, Any] | None = None,
        baseline: Point | None = None,
        warmup: int | Literal["unload"] | None = None,
        order: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        pool: str | None = None,
        priority: int | None = None,
        ranking: Literal["clean-first", "speed"] | None = None,
    ) -> None:
        given = {
            "name": name,
            "workload": workload,
            "server": server,
            "model": model,
            "axes": axes,
            "include": include,
            "exclude": exclude,
            "runs": runs,
            "baseline": baseline,
            "warmup": warmup,
            "order": order,
            "deadline": deadline,
            "pool": pool,
            "priority": priority,
            "ranking": ranking,
        }
        tree = {key: _plain(value) for key, value in given.items() if value is not None}
        self._path = Path(f"Sweep({name!r})")
        """Stands for the sweep file: messages begin with it, and relative paths are relative to its folder."""
        self._spec = checked(tree, str(self._path), dict.fromkeys(_places(tree)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Sweep:
        """Read a sweep file.

        Raises:
            InputError: with every problem, one a line: ``file:line: key: what is wrong``.
        """
        made = cls.__new__(cls)
        made._path = Path(path)
        made._spec = load(made._path)
        return made

    @property
    def name(self) -> str:
        """The sweep's name: its results are in a folder of that name."""
        return self._spec.name

    @property
    def spec(self) -> SweepSpec:
        """The sweep as understood, all defaults filled in."""
        return self._spec

    def to_yaml(self) -> str:
        """Return the text of a sweep file that says the same; what was not given is not written."""
        tree = self._spec.model_dump(mode="json", exclude_unset=True)
        tree["workload"] = {"kind": self._spec.workload.kind, **tree["workload"]}
        if tree["server"].keys() == {"kind"}:
            tree["server"] = tree["server"]["kind"]
        for key in ("axes", "include", "exclude", "baseline"):
            if key in tree:
                tree[key] = _default_is_written(tree[key])
        # Flow style for what holds no further list or mapping, as people write it.
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)

    def plan(self) -> Plan:
        """Return what would be done, as ``chimera plan`` does; nothing is sent.

        Raises:
            InputError: no configuration is left, or what the workload reads can't be read or holds nothing.
        """
        return make_plan(self._spec, self._path)

    def __eq__(self, other: object) -> bool:
        return self._spec == other._spec if isinstance(other, Sweep) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<Sweep {self.name!r}>"


def _plain(value: Any) -> Any:
    """Return a value as YAML would give it."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers, and pandas' series
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value


def _places(tree: Any, at: Location = ()) -> list[Location]:
    """Return the place of every key and item."""
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    return [at, *(place for key, value in items for place in _places(value, (*at, key)))]


def _default_is_written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _default_is_written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_default_is_written(item) for item in value]
    return "default" if value is None else value
