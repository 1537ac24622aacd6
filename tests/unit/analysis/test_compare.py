"""Two results against each other: matching, conditions, gates, and the report of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analysis.compare import (
    ALLOWABLE,
    ComparisonOfResults,
    Result,
    Threshold,
    compare_results,
    parse_thresholds,
)
from analysis.compare.answer import answer
from analysis.compare.gates import gate
from analysis.metrics import THROUGHPUT
from analysis.models import Comparison
from analysis.naming import parse_name
from analysis.rendering.layout.comparison import comparison_document, comparison_rows
from analysis.rendering.markdown import render_document
from analysis.stages_io import read_stages
from analysis.statistics.interval import Interval
from contracts.failures import InputError
from contracts.outcome import GpuIdentity
from contracts.sweep import RunsSpec
from tests.support.factories import RecordFactory
from tests.support.synthetic import Shape, Synthetic, synthetic

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ORACLES = Path(__file__).resolve().parents[3].parent / "shared" / "oracles"
needs_oracles = pytest.mark.skipif(not ORACLES.is_dir(), reason=f"not here: {ORACLES}")

BASE = synthetic(seed=1)
TWO = {"temperature": (0.2, 0.8)}
SMALL = synthetic(TWO, runs=3, seed=1)


_RESULTS: dict[int, tuple[Synthetic, Result]] = {}


def result(made: Synthetic) -> Result:
    """The same object for the same sweep: its summary is made once."""
    found = _RESULTS.setdefault(id(made), (made, Result("results/x", made.records, made.manifest)))
    return found[1]


def compared(
    a: Synthetic, b: Synthetic, *, allow: str = "", fail_on: str = "", **fields: Any
) -> ComparisonOfResults:
    return compare_results(
        result(a),
        result(b),
        allow=frozenset(name for name in ALLOWABLE if name in allow.split(",")),
        thresholds=parse_thresholds([fail_on] if fail_on else []),
        made_at=AT,
        **fields,
    )


def slower(percent: float, **fields: Any) -> Synthetic:
    return synthetic(seed=2, shape=Shape(speed=lambda c: 1 - percent / 100), **fields)


def change_records(**columns: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda record: record | columns


# --- A/A and a known effect -------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_the_same_again_shows_no_difference(seed: int) -> None:
    found = compared(BASE, synthetic(seed=seed), fail_on="throughput:-3%,ttft:+5%")
    assert {c.verdict for c in found.comparisons} <= {"no difference shown", "below the floor"}
    assert found.exit_code == 0 and found.regressions == 0
    assert [g.tested for g in found.gates] == [4, 4]


def test_a_result_against_itself_says_so() -> None:
    found = compared(BASE, BASE)
    assert found.exit_code == 0 and all(c.difference == 0 for c in found.comparisons)
    assert any("same execution" in text for text in found.warnings)


def test_five_percent_slower_is_found_in_every_configuration_and_in_the_right_direction() -> None:
    found = compared(BASE, slower(5))
    rates = [c for c in found.comparisons if c.metric == "throughput_tok_s"]
    assert [c.verdict for c in rates] == ["worse"] * 4
    for c in rates:
        assert c.percent_interval is not None and c.percent_interval.low < -5 < c.percent_interval.high
    gaps = [c for c in found.comparisons if c.metric == "itl_ms"]
    assert [c.verdict for c in gaps] == ["worse"] * 4
    assert found.exit_code == 0, "without --fail-on nothing is a regression"
    turned = compared(slower(5), BASE, fail_on="throughput:-3%")
    assert {c.verdict for c in turned.comparisons if c.metric == "throughput_tok_s"} == {"better"}
    assert turned.exit_code == 0


@pytest.mark.parametrize(("fail_on", "code", "regressions"), [("-3%", 1, 4), ("-10%", 0, 0), ("-0%", 1, 4)])
def test_the_threshold_decides(fail_on: str, code: int, regressions: int) -> None:
    found = compared(BASE, slower(5), fail_on=f"throughput:{fail_on}")
    assert (found.exit_code, found.regressions) == (code, regressions)


def test_runs_of_two_results_are_no_pairs() -> None:
    found = compared(BASE, synthetic(seed=2))
    assert {c.method for c in found.comparisons} == {"welch"}
    assert {c.pairs for c in found.comparisons} == {None}


def test_holm_is_over_all_comparisons_of_the_report() -> None:
    found = compared(BASE, slower(5))
    assert found.tests == len([c for c in found.comparisons if c.p is not None]) == 16
    smallest = min(found.comparisons, key=lambda c: c.p if c.p is not None else 1)
    assert smallest.p is not None and smallest.p_holm == pytest.approx(16 * smallest.p)


def test_the_larger_floor_counts() -> None:
    loud = synthetic(seed=2)
    slots = [
        slot.model_copy(
            update={"floor": slot.floor and slot.floor.model_copy(update={"ttft_error_p99_ms": 9.0})}
        )
        for slot in loud.manifest.slots
    ]
    loud = Synthetic(loud.records, loud.manifest.model_copy(update={"slots": tuple(slots)}))
    for found in (compared(BASE, loud), compared(loud, BASE)):
        assert found.floor is not None and found.floor.ttft_ms == 9.0
        assert {c.verdict for c in found.comparisons if c.metric == "ttft_ms"} == {"below the floor"}


# --- Conditions -------------------------------------------------------------------------------


def with_gpu(name: str) -> Synthetic:
    made = synthetic(TWO, runs=3, seed=2)
    gpus = (GpuIdentity(index=0, name=name),)
    slots = [
        slot.model_copy(update={"host": slot.host and slot.host.model_copy(update={"gpus": gpus})})
        for slot in made.manifest.slots
    ]
    return Synthetic(made.records, made.manifest.model_copy(update={"slots": tuple(slots)}))


@pytest.mark.parametrize(
    ("changed", "name", "what"),
    [
        ({"corpus": "1" * 16}, "workload", "files (content hash)"),
        ({"workload": {"paths": ["c"], "min_words": 3}}, "workload", "workload's settings"),
        ({"warmup": 0}, "warmup", "before each run"),
        ({"digest": "xyz"}, "model", "model digest"),
        ({"version": "0.13"}, "server-version", "server version"),
        ({"server": "llama.cpp"}, "server", "server kind"),
        ({"pool": "other"}, "pool", "pool"),
        ({"shape": Shape(change=change_records(context=4096))}, "context", "context length"),
        ({"gpu": "RTX Other"}, "hardware", "hardware"),
    ],
)
def test_what_differs_forbids_and_names_what_allows_it(changed: dict[str, Any], name: str, what: str) -> None:
    gpu = changed.get("gpu")
    other = with_gpu(gpu) if gpu else synthetic(TWO, runs=3, seed=2, **changed)
    found = compared(SMALL, other, fail_on="throughput:-3%")
    assert (found.comparable, found.exit_code, found.comparisons) == (False, 2, ())
    (why,) = found.why_not
    assert why.startswith(what) and f"--allow {name} " in why
    allowed = compared(SMALL, other, allow=name, fail_on="throughput:-3%")
    assert allowed.comparable and allowed.exit_code == 0 and allowed.comparisons
    assert any(what in text and f"(--allow {name})" in text for text in allowed.warnings)
    assert compared(SMALL, other, allow="parameters").exit_code == 2, "another name does not allow it"


def test_several_differences_are_all_named() -> None:
    found = compared(SMALL, synthetic(TWO, runs=3, seed=2, corpus="1" * 16, version="0.13"), allow="workload")
    assert len(found.why_not) == 1 and "server-version" in found.why_not[0]
    assert len(compared(SMALL, synthetic(TWO, runs=3, seed=2, corpus="1" * 16, version="0.13")).why_not) == 2


def test_another_host_or_chimera_is_said_and_forbids_nothing() -> None:
    other = synthetic(TWO, runs=3, seed=2, shape=Shape(slots={"s9": 1.0}))
    other = Synthetic(
        other.records, other.manifest.model_copy(update={"versions": {"chimera-bench": "0.2.0"}})
    )
    found = compared(SMALL, other)
    assert found.exit_code == 0
    assert "hosts differs: node-s0 against node-s9" in found.warnings
    assert "Chimera differs: 0.1.0 against 0.2.0" in found.warnings


def test_what_is_not_known_is_named_and_forbids_nothing() -> None:
    stages_alone = Result("x", BASE.records, None)
    found = compare_results(stages_alone, result(synthetic(seed=2)), made_at=AT)
    assert found.comparable and found.comparisons
    (text,) = [text for text in found.warnings if text.startswith("not known of baseline, ")]
    for what in ("files (content hash)", "workload's settings", "before each run", "server kind"):
        assert what in text
    assert "server version" not in text, "the stages tell it themselves"
    states = {c.what: c.state for c in found.conditions}
    assert states["server version"] == states["model digest"] == "same"


def test_what_the_stages_tell_is_checked_without_a_manifest() -> None:
    a, b = (Result("x", made.records, None) for made in (BASE, synthetic(seed=2, version="0.13")))
    assert compare_results(a, b, made_at=AT).exit_code == 2


@needs_oracles
def test_csv_without_any_identity_is_usable_with_a_clear_warning() -> None:
    sides = [Result("x", read_stages(ORACLES / "rust_sweep_part_stages.csv"), None) for _ in range(2)]
    found = compare_results(*sides, made_at=AT)
    assert found.comparable and found.exit_code == 0
    assert {match.by for match in found.matched} == {"name"} and len(found.matched) == 6
    assert found.warnings[0].startswith(
        "not known of baseline and candidate, and so not checked to be the same"
    )
    assert "model digest" in found.warnings[0]
    assert "files (content hash)" in render_document(comparison_document(found))


# --- Matching ---------------------------------------------------------------------------------


def test_configurations_are_matched_by_what_they_are_and_not_by_their_names() -> None:
    # The axis with one value is in no name here, and in every name there.
    a = synthetic({"temperature": (0.2, 0.8), "num_ctx": (2048,)}, seed=1)
    b = synthetic({"temperature": (0.2, 0.8), "num_ctx": (2048, 4096)}, seed=2)
    found = compared(a, b)
    assert [(m.baseline, m.candidate, m.by) for m in found.matched] == [
        ("temperature=0.2", "num_ctx=2048,temperature=0.2", "id"),
        ("temperature=0.8", "num_ctx=2048,temperature=0.8", "id"),
    ]
    assert {u.config for u in found.only_candidate} == {
        c.name for c in b.manifest.configurations if c.parameters.num_ctx == 4096
    }
    assert any(text.startswith("only the candidate holds ") for text in found.warnings)


def test_nothing_in_common_is_not_comparable_and_says_what_would_match() -> None:
    a = synthetic({"temperature": (0.2, 0.8), "num_ctx": (1024,)}, seed=1)
    b = synthetic({"temperature": (0.2, 0.8), "num_ctx": (2048,)}, seed=2)
    found = compared(a, b)
    assert found.exit_code == 2
    assert found.why_not[0].startswith(
        "no configuration is in both results; the baseline holds temperature=0.2"
    )
    assert "--allow parameters would match 2" in found.why_not[0]
    allowed = compared(a, b, allow="parameters")
    assert allowed.comparable and [m.by for m in allowed.matched] == ["name", "name"]
    assert any("parameters differs (--allow parameters)" in text for text in allowed.warnings)


def test_another_model_is_matched_by_parameters_where_that_is_allowed() -> None:
    other = synthetic(seed=2, model="m:2", digest="xyz")
    assert "--allow model would match 4" in compared(BASE, other).why_not[0]
    allowed = compared(BASE, other, allow="model")
    assert allowed.comparable and {m.by for m in allowed.matched} == {"parameters"}
    assert any(text.startswith("model differs (--allow model): m:1 against m:2") for text in allowed.warnings)


def test_a_name_that_one_result_has_twice_matches_nothing(record: RecordFactory) -> None:
    # Two agents are two configurations; the same agent can't have two of one name.
    a = Result("a", [record(run=run, agent=agent) for run in (1, 2, 3) for agent in ("x", "y")], None)
    b = Result("b", [record(run=run, agent="x") for run in (1, 2, 3)], None)
    found = compare_results(a, b, made_at=AT)
    assert [(m.agent, m.by) for m in found.matched] == [("x", "name")]
    assert [u.agent for u in found.only_baseline] == ["y"]


# --- Thresholds -------------------------------------------------------------------------------


def test_thresholds_are_read() -> None:
    assert parse_thresholds(["throughput:-3%, ttft:+5.5%", "joules_per_token:+1%"]) == (
        Threshold(metric="throughput_tok_s", percent=-3),
        Threshold(metric="ttft_ms", percent=5.5),
        Threshold(metric="joules_per_token", percent=1),
    )
    assert [t.text for t in parse_thresholds(["throughput:−3%"])] == ["throughput:-3%"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "speed:-3%",
            "unknown metric 'speed'; the metrics are: throughput, ttft, itl, duration, energy, ungrounded",
        ),
        ("throughput", "write it as throughput:-3% or ttft:+5%"),
        ("throughput:-3", "write it as"),
        ("", "write it as"),
        ("throughput:+3%", "worse is lower here; write throughput:-3%"),
        ("throughput:3%", "worse is lower here; write throughput:-3%"),
        ("ttft:-5%", "worse is higher here; write ttft:+5%"),
        ("ttft:5%", "worse is higher here; write ttft:+5%"),
        ("throughput:-100%", "no throughput can fall by more than 100 %"),
        ("ttft:+5%,ttft:+6%", "ttft is given twice"),
    ],
)
def test_a_wrong_threshold_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_thresholds([text])
    assert said in str(caught.value) and "\n" not in str(caught.value)


def comparison(
    verdict: str, percent: float | None, low: float = 0, high: float = 0, **fields: Any
) -> Comparison:
    return Comparison.model_validate(
        {
            **{
                "metric": "throughput_tok_s",
                "agent": "a",
                "baseline": "c",
                "candidate": "c",
                "method": "welch",
            },
            **{
                "n_baseline": 5,
                "n_candidate": 5,
                "baseline_mean": 100,
                "candidate_mean": 95,
                "difference": -5,
            },
            **{"percent": percent, "verdict": verdict, "p": 0.01, "p_holm": 0.02},
            "percent_interval": Interval(low=low, high=high, method="welch"),
        }
        | fields
    )


SLOWER = Threshold(metric="throughput_tok_s", percent=-3)


@pytest.mark.parametrize(
    ("one", "regressions"),
    [
        (comparison("worse", -5, -6, -4), [True]),
        (comparison("worse", -5, -8, -2), [False]),  # worse for sure, by so much not
        (comparison("worse", -2.9, -4, -1), []),
        (comparison("worse", -3, -4, -2), []),  # beyond it, not at it
        (comparison("no difference shown", -5, -12, 2), []),
        (comparison("below the floor", -5, -6, -4), []),
        (comparison("better", 5, 4, 6), []),
        (comparison("worse", None, percent_interval=None), [None]),  # of a baseline of 0
    ],
)
def test_a_regression_is_significant_and_its_estimate_beyond_the_threshold(
    one: Comparison, regressions: list[bool | None]
) -> None:
    found = gate(SLOWER, [one])
    assert [r.whole_interval for r in found.regressions] == regressions
    assert found.tested == 1


def test_a_gate_that_could_be_tested_nowhere_does_not_pass() -> None:
    found = compared(BASE, synthetic(seed=2), fail_on="energy:+3%")
    assert found.exit_code == 2
    assert found.problems == (
        "--fail-on energy:+3%: could not be checked: the metric could be tested in no configuration",
    )
    few = compared(synthetic(runs=1), synthetic(runs=1, seed=2), fail_on="throughput:-3%")
    assert {c.verdict for c in few.comparisons} == {"too few runs"} and few.exit_code == 2
    assert len(few.problems) == 2


def test_a_blunt_gate_says_so() -> None:
    noisy = [synthetic(seed=seed, shape=Shape(cv=0.2)) for seed in (1, 2)]
    found = compared(*noisy, fail_on="throughput:-3%")
    assert found.gates[0].blunt
    assert any(text.startswith("--fail-on throughput:-3% is blunt in") for text in found.warnings)
    quiet = [synthetic(seed=seed, shape=Shape(cv=0.001)) for seed in (1, 2)]
    assert not compared(*quiet, fail_on="throughput:-3%").gates[0].blunt


# --- What a reader must know ------------------------------------------------------------------


def test_lost_runs_and_other_lengths_are_named() -> None:
    def change(columns: dict[str, Any]) -> dict[str, Any]:
        if columns["stage"] == "report" and columns["run"] == 2:
            return columns | {"outcome": "aborted", "reason": "cut"}
        return columns | ({"tokens": columns["tokens"] // 2} if "tokens" in columns else {})

    found = compared(BASE, synthetic(seed=2, shape=Shape(change=change)))
    assert any("completed fewer of its runs" in t and "4 of 5 after 5 of 5" in t for t in found.warnings)
    assert any("answers are of another length" in text for text in found.warnings)
    assert not any("another length" in text for text in compared(BASE, synthetic(seed=2)).warnings)


def test_runs_that_were_decided_by_looking_allow_for_every_look() -> None:
    until = RunsSpec.model_validate({"min": 3, "max": 5, "until": {"throughput": "1%"}})
    manifest = BASE.manifest.model_copy(
        update={"spec": BASE.manifest.spec.model_copy(update={"runs": until})}
    )
    other = synthetic(seed=2)
    fixed = compared(BASE, other)
    assert {c.looks for c in fixed.comparisons} == {None}
    for found in (
        compared(Synthetic(BASE.records, manifest), other),
        compared(other, Synthetic(BASE.records, manifest)),
    ):
        assert {c.looks for c in found.comparisons} == {5}
        assert "every look at up to 5 runs" in render_document(comparison_document(found))
        assert not any("precise" in text for text in found.warnings), "whether any was is not known here"
        widths = [
            [
                c.difference_interval.high - c.difference_interval.low
                for c in of.comparisons
                if c.difference_interval
            ]
            for of in (found, fixed)
        ]
        assert all(looked > once for looked, once in zip(*widths, strict=True))
    more = synthetic(seed=2, runs=7)
    assert {c.looks for c in compared(Synthetic(BASE.records, manifest), more).comparisons} == {7}


def test_suspect_calls_and_configurations_without_a_complete_run_are_named() -> None:
    lost = BASE.manifest.configurations[0].name

    def change(columns: dict[str, Any]) -> dict[str, Any]:
        if columns["stage"] == "report" and columns["config"] == lost:
            return columns | {"outcome": "aborted", "reason": "cut"}
        if columns["stage"] == "report" and columns["config"] != lost and columns["run"] == 2:
            return columns | {"suspect": ("late wake-up of 12 ms",)}
        return columns

    other = synthetic(seed=2, shape=Shape(change=change))
    for sides, none, suspect in (
        ((BASE, other), "candidate", "0 of the baseline and 3 of the candidate"),
        ((other, BASE), "baseline", "3 of the baseline and 0 of the candidate"),
    ):
        warnings = compared(*sides).warnings
        assert (
            f"the {none} has no complete run of {lost} (chimera): nothing of it could be tested" in warnings
        )
        assert any(text.startswith("suspect calls are in no") and text.endswith(suspect) for text in warnings)
    quiet = compared(BASE, synthetic(seed=2)).warnings
    assert not any("suspect" in text or "no complete run" in text for text in quiet)


# --- The answer -------------------------------------------------------------------------------


def test_the_first_sentence_is_the_answer() -> None:
    first = answer(compared(BASE, slower(5)))
    assert re.match(
        r"Throughput is an estimated \d(\.\d)? to \d(\.\d)? % lower in 4 of 4 configurations; ", first
    )
    assert "inter-token latency is an estimated " in first and " % higher in 4 of 4 configurations" in first
    assert first.endswith("no difference is shown in TTFT (4 of 4).")
    turned = answer(compared(slower(5), BASE))
    assert "Throughput is" in turned and "% higher in 4 of 4" in turned
    text = render_document(comparison_document(compared(BASE, slower(5))))
    assert text.index(first.split(" to ")[0]) < text.index("16 comparisons of 4 configurations")


def test_only_some_configurations_differ() -> None:
    odd = synthetic(seed=2, shape=Shape(speed=lambda c: 0.5 if c.parameters.num_gpu == 40 else 1.2))
    first = answer(compared(BASE, odd, metrics=[THROUGHPUT]))
    assert re.fullmatch(
        r"Throughput is an estimated \d+ (to \d+ )?% lower in 2 of 4 configurations; "
        r"throughput is an estimated \d+ (to \d+ )?% higher in 2 of 4 configurations\.",
        first,
    )


def test_no_difference_is_the_answer_too() -> None:
    assert answer(compared(BASE, synthetic(seed=2), metrics=[THROUGHPUT])) == (
        "No difference is shown in throughput (4 of 4) of 4 configurations."
    )


def test_where_nothing_was_tested_it_says_so() -> None:
    found = compared(synthetic(runs=1), synthetic(runs=1, seed=2))
    assert found.exit_code == 0
    assert found.problems == ("nothing was tested: too few runs in 16 of 16 comparisons",)
    assert answer(found) == "Nothing was tested: too few runs in 16 of 16 comparisons."
    assert compared(BASE, synthetic(seed=2)).untested is None

    def fail(columns: dict[str, Any]) -> dict[str, Any]:
        return columns | {"outcome": "aborted", "reason": "cut"}

    failed = [synthetic(TWO, runs=3, seed=seed, shape=Shape(change=fail)) for seed in (1, 2)]
    (why,) = compared(*failed).problems
    assert why == "nothing was tested: no figure of a complete run is known of any matched configuration"


# --- The document -----------------------------------------------------------------------------


def test_the_report_has_baseline_candidate_and_difference_with_interval() -> None:
    found = compared(BASE, slower(5), fail_on="throughput:-3%", command="chimera compare a b")
    text = render_document(comparison_document(found))
    header = "| Configuration | Metric | Baseline | Candidate | Difference (95 % interval) |"
    assert header in text
    row = next(line for line in text.splitlines() if "Throughput (tok/s) |" in line)
    assert "(n = 5)" in row and " to " in row and "worse, regression" in row
    for part in (
        "--fail-on throughput:-3%: 4 regressions",
        "Family of 16 tests",
        "would have been shown",
        "Two results are two occasions",
        "chimera compare a b",
        BASE.manifest.sweep_id,
        "--allow",
    ):
        assert part in text, part
    assert len(comparison_rows(found)) == len(found.comparisons)


def test_not_comparable_is_a_report_too() -> None:
    text = render_document(comparison_document(compared(BASE, synthetic(seed=2, version="0.13"))))
    assert "Not comparable: server version differs" in text and "## Comparisons" not in text


def test_it_reads_back_and_is_named_by_the_convention() -> None:
    found = compared(BASE, slower(5), fail_on="throughput:-3%")
    assert ComparisonOfResults.model_validate(json.loads(found.model_dump_json())) == found
    name = parse_name(found.name)
    assert name is not None and (name.sweep, name.model, name.utc) == ("synthetic-vs-synthetic", "m-1", AT)


def test_hostile_names_stay_text(record: RecordFactory) -> None:
    name = "<script>alert(1)</script>|[bold]\x1b[31m`x`"
    sides = [
        Result(
            "x",
            [record(config=name, agent=name, run=run, throughput_tok_s=100.0 + run) for run in (1, 2, 3)],
            None,
        )
        for _ in range(2)
    ]
    found = compare_results(*sides, made_at=AT)
    text = render_document(comparison_document(found))
    assert "<script>" not in text and "\x1b" not in text
    assert "&lt;script>alert(1)&lt;/script>\\|" in text
