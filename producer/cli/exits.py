"""The exit codes of all commands."""

from __future__ import annotations

OK = 0
RESULT_SAYS_NO = 1
WRONG = 2
NOTHING_RUNS = 3
DEFECT = 70
INTERRUPTED = 130
OUTPUT_CLOSED = 141

MEANINGS = {
    OK: "done",
    RESULT_SAYS_NO: "it was carried out, and its result says no: a regression (compare), a red part (doctor), no slot "
    "calibrated (calibrate), a sweep that could not be followed to its report (run, resume, cancel); one that was "
    "cancelled or given up has a report, and 0: 'cancelled' in --json says why",
    WRONG: "wrong input: nothing was sent or measured; or a part is missing, does not answer or died too often; the "
    "message says what to do",
    NOTHING_RUNS: "nothing runs of what was asked for (status)",
    DEFECT: "a defect of Chimera; CHIMERA_DEBUG=1 shows where",
    INTERRUPTED: "interrupted, by Ctrl-C, SIGTERM or SIGHUP; a sweep can be resumed",
    OUTPUT_CLOSED: "nobody reads what it prints any more, as behind '| head'; a sweep can be resumed",
}
