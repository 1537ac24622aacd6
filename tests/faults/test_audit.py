"""The audit of the fault tests finds what it is there to find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.stages_io import STAGES_FILE
from benchmarks.chaos.audit import audit
from benchmarks.chaos.parts import Parts
from tests.support.chaos import cheap_sweep, ended, results_of


def test_the_audit_tells_loss_doubling_overlap_and_silence(parts: Parts, tmp_path: Path) -> None:
    parts.start("s0")
    server = parts.servers["s0"]
    assert ended(parts, parts.run(cheap_sweep(tmp_path, runs=2))).complete == 4
    (execution,), folder = parts.executions, results_of(parts)
    stages = folder / STAGES_FILE
    whole = stages.read_text()
    rows = [json.loads(line) for line in whole.splitlines()]
    second = [row for row in rows if (row["config"], row["run"]) == ("temperature=0.1", 2)]

    def complaints(changed: list[dict[str, Any]] = rows, **calls: list[dict[str, Any]]) -> str:
        stages.write_text("".join(json.dumps(row) + "\n" for row in changed))
        return "\n".join(audit(parts.store, execution, folder, calls).complaints)

    assert complaints(s0=server.calls()) == ""
    assert "lost: temperature=0.1 / run 2 is not in the results" in complaints(
        [r for r in rows if r not in second]
    )
    assert "doubled: temperature=0.1 / run 2: report is in the results 2 times" in complaints(
        [*rows, *second]
    )
    never = [row | {"run": 3} for row in second]
    assert "doubled: temperature=0.1 / run 3 was never planned" in complaints([*rows, *never])
    failed = [row | {"outcome": "server_error"} for row in rows]
    assert "unsaid: the report does not say 'server_error'" in complaints(failed)

    call = server.calls()[0]
    beside = call | {"id": 99, "begin_ns": call["begin_ns"] + 1}
    assert "overlap: the server of s0: call 99 began" in complaints(s0=[*server.calls(), beside])

    outcome = next(parts.store.outcomes(execution, sorted(parts.store.jobs_done(execution))))
    # As a second delivery, beside the first: it does not count, and is kept.
    parts.store.put_outcome(outcome.model_copy(update={"attempt": 2, "started_ns": outcome.started_ns + 1}))
    assert "overlap: s0: " in complaints()
