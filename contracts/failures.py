"""Chimera's error tree.

::

    ChimeraError                  a message that a person can act on; never shown as a traceback
    ├── InputError                wrong sweep file, option or results file: exit code 2, nothing was sent
    ├── SetupError                something that is needed is missing or not reachable: exit code 2
    │   └── BrokerError           Redis can't be reached or used
    └── SweepIncomplete           the sweep ended without all its outcomes: exit code 1

A failed *measurement* is none of these: it is data (see :mod:`contracts.call`).
"""

from __future__ import annotations


class ChimeraError(Exception):
    """Base of all errors that Chimera raises itself."""

    exit_code = 1


class InputError(ChimeraError):
    """Something the user wrote is wrong. The message names the file, the key and the line."""

    exit_code = 2


class SetupError(ChimeraError):
    """A part that the command needs is missing or not reachable."""

    exit_code = 2


class BrokerError(SetupError):
    """Redis can't be reached or used."""


class SweepIncomplete(ChimeraError):
    """The sweep ended without all its outcomes."""
