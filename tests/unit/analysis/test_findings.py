"""Rules: each planted defect is found, with evidence and advice, and a plain sweep has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.findings import RULES, findings, is_answer, warnings_of
from analysis.metrics import THROUGHPUT, TTFT
from analysis.models import (
    AxisEffect,
    AxisLevel,
    Comparison,
    ConfigurationSummary,
    ConfigurationTrend,
    Figure,
    Finding,
    GroundingRate,
    HostEffects,
    InertAxis,
    InteractionEffect,
    MainEffects,
    Precision,
    RunOutlier,
    SlotEffect,
    SweepSummary,
    TextGrounding,
    Trend,
)
from analysis.statistics.interval import Interval
from tests.support.factories import ManifestFactory
from tests.support.present import present
from tests.support.synthetic import Shape, synthetic

CLEAN = Shape(cold_first=False)


def plain(runs: int = 5, **shape: Any) -> SweepSummary:
    """Two axes, two values each; nothing wrong."""
    return synthetic(runs=runs, shape=Shape(**{"cold_first": False, **shape})).summary()


@pytest.fixture(scope="module")
def sweep() -> SweepSummary:
    return plain()


def the(summary: SweepSummary, rule: str) -> Finding:
    (found,) = [finding for finding in findings(summary) if finding.rule == rule]
    assert found.evidence and found.advice.endswith(".")
    return found


def rules(summary: SweepSummary) -> set[str]:
    return {finding.rule for finding in findings(summary)}


def with_first(summary: SweepSummary, **fields: Any) -> SweepSummary:
    first, *rest = summary.configurations
    return summary.model_copy(update={"configurations": (first.model_copy(update=fields), *rest)})


def changed(**columns: Any) -> Any:
    """Change the report calls of the first two runs."""

    def change(given: dict[str, Any]) -> dict[str, Any]:
        return given | (columns if given["stage"] == "report" and given["run"] <= 2 else {})

    return change


def test_a_plain_sweep_has_answers_and_nothing_to_distrust(sweep: SweepSummary) -> None:
    found = findings(sweep)
    assert warnings_of(found) == ()
    assert {f.rule for f in found if not is_answer(f)} <= {
        "floor-reached",
        "outlier-runs",
    }
    assert [f.rule for f in found if is_answer(f)][:2] == ["best:throughput", "best:ttft"]


def test_a_sweep_without_any_record(manifest: ManifestFactory) -> None:
    from analysis.summary import summarise_sweep

    found = the(summarise_sweep([], manifest()), "incomplete-runs")
    assert found.severity == "critical"
    assert "have no complete run at all and no rank" in found.text


def test_the_gravest_stand_first_and_notes_are_no_warnings(sweep: SweepSummary) -> None:
    summary = plain(change=changed(outcome="timeout", reason="the deadline passed"), runs=5)
    order = [f.severity for f in findings(summary)]
    assert order == sorted(order, key=["critical", "warning", "note"].index)
    assert order[0] == "critical"
    assert len(warnings_of(findings(summary))) == sum(s != "note" for s in order)


def test_findings_don_t_read_findings_or_warnings(sweep: SweepSummary) -> None:
    assert findings(sweep.model_copy(update={"warnings": ("x",), "findings": ()})) == findings(sweep)
    assert len(set(RULES)) == len(RULES)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("aborted", "8 of 40 calls ended without the server's final record (aborted)"),
        ("server_error", "8 of 40 calls were answered with an error (server_error)"),
        ("timeout", "8 of 40 calls ran into a time limit (timeout)"),
        ("connection", "8 of 40 calls lost their connection (connection)"),
        ("lost", "8 of 40 calls are lost"),
    ],
)
def test_failures_by_outcome(outcome: str, words: str) -> None:
    found = the(plain(change=changed(outcome=outcome, reason="why")), f"failures-{outcome.replace('_', '-')}")
    assert found.text.startswith(words)
    assert found.severity == "critical"  # 20 % of each configuration's calls
    assert len(found.configurations) == 4
    assert "2 of 10 (20.0 %)" in found.evidence[0]


def test_one_failure_of_many_is_a_warning() -> None:
    def once(given: dict[str, Any]) -> dict[str, Any]:
        one = (given["run"], given["stage"], given["config"]) == (
            1,
            "report",
            "num_gpu=40,temperature=0.2",
        )
        return given | ({"outcome": "lost", "reason": "its worker died"} if one else {})

    found = the(plain(runs=6, change=once), "failures-lost")
    assert (found.severity, found.configurations) == ("warning", ("num_gpu=40,temperature=0.2",))
    assert found.text == "1 of 48 calls is lost: its worker died, or the job was given up (lost)"


def test_incomplete_runs_are_named_with_what_is_left() -> None:
    found = the(plain(change=changed(outcome="timeout", reason="late")), "incomplete-runs")
    assert found.severity == "warning"
    assert "3 of 5 runs complete, 2 exclusions" in found.evidence[0]


def test_degenerate_answers_are_critical_where_they_stand_first() -> None:
    bad = {"outcome": "degenerate", "degeneration": "repetition", "reason": "repeats"}
    found = the(plain(change=changed(**bad)), "degenerate-output")
    assert found.severity == "critical"
    assert found.text.endswith("and the first place of the ranking has some")
    assert "2 of 10 (repetition 2)" in found.evidence[0]


def test_cold_starts_mixed_in() -> None:
    found = the(synthetic(shape=Shape()).summary(), "cold-start-mixed")
    assert found.severity == "warning"
    assert found.text.startswith("4 of 40 calls of 4 configurations were cold")
    assert "TTFT as recorded" in found.evidence[0] and " ms, warm " in found.evidence[0]
    assert "Warm-up calls did not prevent them" in found.advice
    bare = synthetic(shape=Shape(), warmup=0).summary()
    assert "A warm-up call before each run (warmup: 1)" in the(bare, "cold-start-mixed").advice


def test_unstable_and_wide(sweep: SweepSummary) -> None:
    noisy = plain(runs=4, cv=0.2)
    unstable = the(noisy, "unstable-throughput")
    assert "its CV over runs is above 5 %" in unstable.text
    wide = the(noisy, "wide-interval-throughput")
    assert wide.severity == "warning"
    assert "more for ± 5 %" in wide.evidence[0]
    assert "unstable-throughput" not in rules(sweep)


def test_few_runs() -> None:
    found = the(plain(runs=2), "few-runs")
    assert "fewer than 3 complete runs" in found.text
    assert "2 complete runs" in found.evidence[0]
    assert "one run shows no spread" in the(plain(runs=1), "few-runs").evidence[0]


def test_two_groups_of_runs() -> None:
    def slow_half(given: dict[str, Any]) -> dict[str, Any]:
        if given["stage"] == "ingest" or given["run"] % 2:
            return given
        return given | {
            "throughput_tok_s": 0.9 * given["throughput_tok_s"],
            "eval_ms": given["eval_ms"] / 0.9,
        }

    found = the(plain(runs=10, cv=0.003, change=slow_half), "bimodal-throughput")
    assert len(found.configurations) == 4
    assert "5 runs up to 90." in found.evidence[0]
    assert "bimodal-throughput" not in rules(plain(runs=10))


def test_suspect_calls_are_a_note_and_many_of_them_a_warning() -> None:
    def one(given: dict[str, Any]) -> dict[str, Any]:
        hit = given["stage"] == "report" and given["run"] == 1 and "num_gpu=40" in given["config"]
        return given | ({"suspect": ("late wake-up",)} if hit else {})

    few = the(plain(runs=6, change=one), "suspect-calls")
    assert (few.severity, few.text) == ("note", "2 of 48 calls are suspect and left out")
    assert few.evidence[0] == "late wake-up (2 calls)"
    many = the(plain(change=changed(suspect=("late wake-up",))), "suspect-calls")
    assert many.severity == "warning"
    assert many.text.startswith("8 of 40 calls are suspect and left out: the measuring process was disturbed")


def test_retries_and_truncation() -> None:
    found = the(plain(change=changed(sendings=3)), "retries")
    assert found.text.startswith("8 calls had to be sent more than once")
    cut = the(plain(change=changed(outcome="truncated", reason="length")), "truncated")
    assert cut.text.startswith("8 calls were cut at the asked length limit (truncated)")


def test_throttling_with_what_it_cost() -> None:
    def hold(given: dict[str, Any]) -> dict[str, Any]:
        if given.get("telemetry") is None or given["run"] > 2:
            return given
        gpu = (
            given["telemetry"]
            .gpus[0]
            .model_copy(update={"throttled": True, "throttle_reasons": ("sw_thermal_slowdown",)})
        )
        return given | {"telemetry": given["telemetry"].model_copy(update={"gpus": (gpu,)})}

    found = the(plain(gpu=True, change=hold), "throttling")
    assert "16 of 40 calls of 4 configurations" in found.text
    assert "4 of 10 calls; " in found.evidence[0]
    assert "tok/s in throttled runs" in found.evidence[0]
    assert "throttling" not in rules(plain(gpu=True))


def test_places() -> None:
    def mixed(given: dict[str, Any]) -> dict[str, Any]:
        second = given["run"] > 3
        return given | ({"pool": "q", "model_digest": "other", "context": 4096} if second else {})

    summary = plain(change=mixed, slots={"s0": 1.0, "s1": 1.0})
    other = present(summary.slots[1].server).model_copy(update={"version": "9"})
    slots = (summary.slots[0], summary.slots[1].model_copy(update={"server": other, "floor": None}))
    summary = summary.model_copy(update={"slots": slots})
    assert the(summary, "pools-mixed").severity == "critical"
    assert the(summary, "servers-differ").text == "the slots ran different servers: ollama 0.12, ollama 9"
    assert "m:1 was not the same model in all runs: digests abc, other" in the(summary, "digests-differ").text
    assert "contexts-differ" in rules(summary)
    assert the(summary, "hosts-several").severity == "note"  # the effect of slots is told
    untold = summary.model_copy(update={"host_effects": ()})
    assert the(untold, "hosts-several").severity == "warning"


def host_effects(metric: str, percent: float) -> HostEffects:
    slot = {"runs": 20, "p": 0.0001, "p_holm": 0.002}
    return HostEffects(
        metric=metric,
        agent="chimera",
        pool="rtx4080",
        variance_share=0.6,
        sd_percent=3.4,
        slots=(
            SlotEffect(
                slot="gpu-7",
                percent=percent,
                interval=Interval(low=percent - 1, high=percent + 1, method="t"),
                outlying=True,
                **slot,
            ),
            SlotEffect(slot="gpu-1", percent=0.1, runs=20, p=0.6, p_holm=1.0),
        ),
    )


def test_an_outlying_slot_is_named_once(sweep: SweepSummary) -> None:
    summary = sweep.model_copy(
        update={"host_effects": (host_effects(THROUGHPUT.key, -6.1), host_effects(TTFT.key, 4.0))}
    )
    found = the(summary, "slot-outlier")
    assert found.text == "slot gpu-7 is 6.1 % slower than its pool rtx4080 (p = 0.002)"
    assert "95 % interval −7.1 to −5.1 %" in found.evidence
    assert "also 4.0 % above its pool rtx4080 in TTFT (p = 0.002)" in found.evidence
    assert "--slot gpu-7 --pool NAME" in found.advice


def test_inert_axis_and_one_that_moves_all_the_same(sweep: SweepSummary) -> None:
    inert = InertAxis(
        axis="num_gpu", model="m:1", asked=(40, 80), applied=34, others=(), why="the model has 34 layers"
    )
    moving = AxisEffect(
        axis="num_gpu",
        levels=(AxisLevel(value="40", runs=10, mean=50.0), AxisLevel(value="80", runs=10, mean=60.0)),
        share=0.9,
        largest_percent=20.0,
        p_holm=0.001,
        inert=True,
    )
    effects = MainEffects(metric=TTFT.key, agent="chimera", runs=20, axes=(moving,), balanced=True)
    summary = sweep.model_copy(update={"inert": (inert,), "main_effects": (effects,)})
    found = the(summary, "inert-axis")
    assert len(found.configurations) == 4
    assert found.advice == "Sweep num_gpu over values that the server applies: keep 34, and leave 40, 80 out."
    moved = the(summary, "inert-axis-moves")
    assert moved.text == "TTFT differs between values of num_gpu, which were applied as one (p = 0.001)"
    assert "matters:ttft" not in rules(summary)


def axis(name: str, share: float, p: float) -> AxisEffect:
    levels = (AxisLevel(value="a", runs=10, mean=100.0), AxisLevel(value="b", runs=10, mean=112.0))
    return AxisEffect(axis=name, levels=levels, share=share, largest_percent=12.0, p=p, p_holm=p)


def test_what_matters_and_what_was_not_seen_to(sweep: SweepSummary) -> None:
    effects = MainEffects(
        **{"metric": THROUGHPUT.key, "agent": "chimera", "runs": 20, "balanced": True},
        axes=(axis("temperature", 0.001, 0.8), axis("num_gpu", 0.87, 0.0001)),
        residual_share=0.1,
    )
    summary = sweep.model_copy(update={"main_effects": (effects,)})
    matters = the(summary, "matters:throughput")
    assert matters.text == (
        "Throughput: num_gpu explains 87.0 % of the variance between runs (largest difference 12 %, adjusted p < 0.001)."
    )
    assert matters.evidence == ("of the rest: noise between runs 10.0 % (20 runs)",)
    assert matters.advice.startswith(
        "For Throughput set num_gpu first: over all else b was best (112.00 tok/s)"
    )
    idle = the(summary, "no-effect-shown:axes")
    assert idle.text == "no effect of temperature was shown on Throughput."
    assert "it takes 1/2 of the jobs" in idle.advice

    pair = InteractionEffect(axes=("num_gpu", "temperature"), share=0.05, p_holm=0.01)
    depends = summary.model_copy(
        update={"main_effects": (effects.model_copy(update={"interactions": (pair,)}),)}
    )
    assert "no-effect-shown:axes" not in rules(depends)
    assert the(depends, "matters:throughput").advice.endswith(
        "but read it together with temperature, on which it depends."
    )


def test_an_effect_on_ttft_below_the_floor_is_none(sweep: SweepSummary) -> None:
    levels = (AxisLevel(value="a", runs=10, mean=50.00), AxisLevel(value="b", runs=10, mean=50.05))
    tiny = axis("num_gpu", 0.9, 0.001).model_copy(update={"levels": levels})
    effects = MainEffects(metric=TTFT.key, agent="chimera", runs=20, axes=(tiny,), balanced=True)
    summary = sweep.model_copy(update={"main_effects": (effects,)})
    assert present(summary.floor).ttft_ms == 0.1
    assert "matters:ttft" not in rules(summary)
    assert "no effect of num_gpu" in the(summary, "no-effect-shown:axes").text


def trend(drifting: bool = True) -> Trend:
    return Trend(n=20, percent_per_run=-0.5, p=0.001, p_holm=0.004, drifting=drifting)


def test_trend_within_a_configuration_and_drift_of_the_sweep(sweep: SweepSummary) -> None:
    within = with_first(sweep, trends=(ConfigurationTrend(metric=THROUGHPUT.key, trend=trend()),))
    assert (
        "Throughput −0.50 % from one run to the next (20 runs, p = 0.004)"
        in the(within, "trend-over-runs").evidence[0]
    )
    effects = MainEffects(
        metric=THROUGHPUT.key, agent="chimera", runs=20, axes=(), balanced=True, drift=trend()
    )
    assert (
        "from one block to the next"
        in the(sweep.model_copy(update={"main_effects": (effects,)}), "drift").evidence[0]
    )
    still = with_first(sweep, trends=(ConfigurationTrend(metric=THROUGHPUT.key, trend=trend(False)),))
    assert "trend-over-runs" not in rules(still)


def test_outliers_precision_and_unreached(sweep: SweepSummary) -> None:
    outlier = RunOutlier(metric=THROUGHPUT.key, run=3, value=80.0, low=99.0, high=101.0)
    bare = tuple(c.model_copy(update={"outliers": ()}) for c in sweep.configurations)
    one = with_first(sweep.model_copy(update={"configurations": bare}), outliers=(outlier,))
    found = the(one, "outlier-runs")
    assert found.text.startswith("1 run lies outside Tukey's fences of its configuration")
    assert "run 3: Throughput 80.00, fences 99.00 to 101.00 tok/s" in found.evidence[0]
    targets = (
        Precision(metric=THROUGHPUT.key, target_percent=1.0, reached_percent=1.8, reached=False),
        Precision(metric=TTFT.key, target_percent=5.0, reached_percent=None, reached=False),
    )
    found = the(with_first(sweep, precision=targets), "precision-not-reached")
    assert "Throughput asked ± 1 %, reached ± 1.8 %" in found.evidence[0]
    assert "TTFT asked ± 5 %, reached nothing: too few runs" in found.evidence[1]


def test_ungrounded_text(sweep: SweepSummary) -> None:
    figure = Figure(
        **{"figure": "JSON 65", "kind": "file_count", "context": "JSON (65)", "verdict": "contradicted"},
        **{"truth": "44", "start": 0, "end": 7},
    )
    summary = with_first(
        sweep,
        groundings=(TextGrounding(run=1, stage="report", figures=(figure,)),),
        grounding=GroundingRate(texts=5, figures=10, supported=4, contradicted=1, not_found=5),
    )
    found = the(summary, "ungrounded-text")
    assert found.severity == "warning"
    assert "contradict 1 (10.0 %) and don't hold 5 (50.0 %)" in found.text
    assert "(JSON 65 for 44)" in found.evidence[0]
    good = GroundingRate(texts=5, figures=10, supported=10, contradicted=0, not_found=0)
    assert "ungrounded-text" not in rules(with_first(sweep, grounding=good))


def test_floor_reached(sweep: SweepSummary) -> None:
    below = Comparison(
        **{"metric": TTFT.key, "agent": "chimera", "baseline": "a", "candidate": "b", "method": "welch"},
        **{"n_baseline": 5, "n_candidate": 5, "baseline_mean": 50.0, "candidate_mean": 50.05},
        **{"difference": 0.05, "percent": 0.1, "p": 0.001, "p_holm": 0.01, "floor": 0.1},
        verdict="below the floor",
    )
    found = the(sweep.model_copy(update={"comparisons": (below,)}), "floor-reached")
    assert found.evidence == ("TTFT: b +0.05 ms",)
    assert "b" in found.configurations


def test_clocks_that_disagree_and_other_notes_are_gathered() -> None:
    def slow_server(given: dict[str, Any]) -> dict[str, Any]:
        rate = given.get("throughput_tok_s")
        return given if rate is None else given | {"throughput_tok_s": 1.2 * rate}

    found = the(plain(change=slow_server), "clocks-disagree")
    assert found.text == (
        "4 configurations where the server's counters and the client's clock disagree on the rate"
    )
    assert "the server's rate is" in found.evidence[0]
    assert len(found.evidence) == 4  # three, and that there is one more


def test_every_note_s_rule_is_known() -> None:
    """What configurations note is either gathered or has a rule of its own."""
    import re
    from pathlib import Path

    import analysis.notes
    from analysis.findings.noted import _ABOUT

    named = set(re.findall(r'rule="([\w-]+)"', Path(analysis.notes.__file__).read_text(encoding="utf-8")))
    assert named - _ABOUT.keys() == {"missing-stage", "suspect-calls", "throttled"}


def test_the_agent_is_named_where_there_are_several(sweep: SweepSummary) -> None:
    first, *rest = sweep.configurations
    other: ConfigurationSummary = first.model_copy(update={"agent": "b", "runs_complete": 0})
    summary = sweep.model_copy(update={"configurations": (first, other, *rest)})
    assert "num_gpu=40,temperature=0.2 (b)" in the(summary, "incomplete-runs").text


def test_a_busy_host(sweep: SweepSummary) -> None:
    from analysis.models import TelemetryOfStage
    from analysis.statistics.estimate import estimate

    nothing = estimate([])

    def stage(name: str, busy: list[float]) -> TelemetryOfStage:
        return TelemetryOfStage(
            **{"stage": name, "calls": len(busy), "gpus": None, "power_w": nothing, "energy_j": nothing},
            **{"joules_per_token": nothing, "peak_memory_bytes": None, "peak_temperature_c": None},
            **{"throttled_calls": None, "throttle_reasons": (), "cpu_busy_percent": estimate(busy)},
            cpu_steal_percent=estimate([0.0] * len(busy)),
        )

    busy = with_first(sweep, telemetry=(stage("analysis", [99.0, 99.2]), stage("report", [40.0, 42.0])))
    found = the(busy, "host-busy")
    assert found.severity == "warning"
    assert found.text.startswith("the host was 99 % busy during 2 of 4 calls")
    assert found.evidence == (
        "num_gpu=40,temperature=0.2, analysis: CPUs 99.1 % busy, 0.0 % stolen (2 calls)",
    )
    assert "host-busy" not in rules(with_first(sweep, telemetry=(stage("report", [80.0, 85.0]),)))


def test_prompts_of_other_lengths() -> None:
    def longer(given: dict[str, Any]) -> dict[str, Any]:
        hit = given["stage"] == "report" and "num_gpu=80" in given["config"]
        return given | ({"prompt_tokens": int(1.1 * given["prompt_tokens"])} if hit else {})

    found = the(plain(change=longer), "prompts-differ")
    assert found.severity == "warning"
    assert len(found.evidence) == 1 and found.evidence[0].startswith("report: median ")
    assert "prompts-differ" not in rules(plain())


def test_a_large_floor(sweep: SweepSummary) -> None:
    assert sweep.floor is not None
    large = sweep.model_copy(update={"floor": sweep.floor.model_copy(update={"ttft_ms": 30.0})})
    assert "the measurement floor of TTFT, 30.00 ms, is " in the(large, "floor-large").text
    assert "floor-large" not in rules(sweep)


def test_ttft_of_calls_of_which_cold_or_warm_is_not_known(sweep: SweepSummary) -> None:
    assert "not known" not in the(sweep, "best:ttft").text
    unknown = tuple(
        c.model_copy(
            update={
                "over_runs": c.over_runs.model_copy(
                    update={"runs": tuple(replace(r, cold_calls=None) for r in c.over_runs.runs)}
                )
            }
        )
        for c in sweep.configurations
    )
    text = the(sweep.model_copy(update={"configurations": unknown}), "best:ttft").text
    assert "whether its calls were cold or warm is not known" in text


def test_no_winner_is_advised_where_none_is_claimed() -> None:
    few = the(plain(runs=2), "best:throughput").advice
    assert "measure at least 3 complete runs" in few and "Use " not in few
    tied = the(synthetic(runs=5, shape=CLEAN).summary(), "best:throughput").advice
    assert not tied.startswith("Use ") and "more runs" in tied


def test_advice_does_not_contradict_itself(sweep: SweepSummary) -> None:
    from analysis.findings.spread import _to_narrow

    assert "max:" not in _to_narrow(261, 3, THROUGHPUT, False)
    assert "runs: {min: 3, max: 60, until: {throughput: 5%}}" in _to_narrow(30, 8, THROUGHPUT, False)
    assert "until:" not in _to_narrow(30, 8, THROUGHPUT, True)  # a sweep whose number of runs has to be given
    assert "find its cause" in _to_narrow(None, 3, TTFT, False)


def test_why_the_precision_was_not_reached(sweep: SweepSummary) -> None:
    from contracts.sweep import RunsSpec

    missed = (Precision(metric=THROUGHPUT.key, target_percent=1.0, reached_percent=1.8, reached=False),)

    def of(most: int, **fields: Any) -> Finding:
        until = RunsSpec(min=3, max=most, until={"throughput": 0.01})
        asked = with_first(sweep, precision=missed, **fields).model_copy(update={"runs_until": until})
        return the(asked, "precision-not-reached")

    at_most = of(5)
    assert at_most.text == "1 of 4 configurations did not reach the asked precision: 1 at the limit of runs"
    assert "Raise runs.max" in at_most.advice
    assert "go on where it ended" in of(30).advice
    assert "Find out why runs failed" in of(5, runs_complete=0).advice


def test_one_sentence_of_several_groups_is_one_finding(sweep: SweepSummary) -> None:
    from analysis.models import NoEffect

    groups = tuple(
        NoEffect(axis="temperature", model="m:1", values=(0.2, 0.8), configurations=names)
        for names in (("a", "b"), ("c", "d"))
    )
    found = the(sweep.model_copy(update={"no_effect": groups}), "sampler-without-effect")
    assert found.configurations == ("a", "b", "c", "d")
    assert len(found.evidence) == 2 and "in each of 2 groups" in found.text


def test_every_rule_has_a_title() -> None:
    import re
    from pathlib import Path

    import analysis.findings as package
    from analysis.findings.noted import _ABOUT
    from analysis.findings.titles import _TITLES

    texts = [path.read_text(encoding="utf-8") for path in Path(package.__file__).parent.glob("*.py")]
    named = {rule for text in texts for rule in re.findall(r'rule="([\w-]+)"', text)}
    assert (named | _ABOUT.keys()) - _TITLES.keys() == {"slot-outlier"}
