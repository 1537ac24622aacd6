"""The exit codes of all commands."""

from __future__ import annotations

OK = 0
RESULT_SAYS_NO = 1
WRONG = 2
NOTHING_RUNS = 3
DEFECT = 70
INTERRUPTED = 130

MEANINGS = {
    OK: "done",
    RESULT_SAYS_NO: "it was carried out, and its result says no: a regression (compare), a red part (doctor), no slot "
    "calibrated (calibrate), a sweep that ended without all its outcomes or whose results could not be written "
    "(run, resume, cancel)",
    WRONG: "wrong input or set-up: nothing was sent or measured; the message says what to do",
    NOTHING_RUNS: "nothing runs of what was asked for (status)",
    DEFECT: "a defect of Chimera; CHIMERA_DEBUG=1 shows where",
    INTERRUPTED: "interrupted, by Ctrl-C, SIGTERM or SIGHUP; a sweep can be resumed",
}
