"""The measured part of a configuration's section: aggregates, calls, spread."""

from __future__ import annotations

from analysis.models import Aggregates, Call, Conditions, ConfigurationSummary, ValidAggregates
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Row, Section, Table
from analysis.rendering.layout.words import cold_text, gaps_text, left_out_words, outcome_text
from analysis.rendering.numbers import ABSENT, count, mean_sd, percent, plural, value
from analysis.statistics.estimate import Estimate
from analysis.validity import is_no_measurement

_MOST_COLD = 10
MOST_CALLS = 60
"""Rows of a table of calls: 100 runs of 4 calls have 400, which nobody reads one by one."""
_METHOD = {
    "tokens_over_eval_time": "each run: Σ tokens / Σ eval time",
    "mean_of_call_rates": "each run: mean of its calls' rates",
    "output_over_window": "each run: output tokens of all its requests / time at full load",
}
_TTFT = "each run: mean of its calls, no cold ones"
_TTFT_OF_A_LOAD = (
    "each run: mean of the requests in its load's window; of an open loop from their scheduled time"
)


def aggregate_section(c: ConfigurationSummary) -> Section:
    """The seed's seven rows, twice; then cold and warm, calls and runs apart."""
    recorded, valid = c.as_recorded, c.valid
    rows = (
        (
            "Average Throughput",
            _pooled(recorded.throughput_tok_s, "tok/s"),
            _pooled(valid.throughput_tok_s, "tok/s"),
        ),
        ("Average TTFT", _pooled(recorded.ttft_ms, "ms"), _valid_ttft(valid)),
        ("Total Tokens Generated", _tokens(recorded), _tokens(valid)),
        ("Total LLM Call Duration", _sum(recorded, "duration_ms"), _sum(valid, "duration_ms")),
        ("Prompt Eval Duration (sum)", _sum(recorded, "prompt_eval_ms"), _sum(valid, "prompt_eval_ms")),
        ("Eval Duration (sum)", _sum(recorded, "eval_ms"), _sum(valid, "eval_ms")),
        ("Load Duration (sum)", _sum(recorded, "load_ms"), _sum(valid, "load_ms")),
    )
    return Section(
        "Aggregate Metrics",
        (
            Table(("Metric", "As recorded", "Valid only"), "lrr", tuple(map(Row, rows))),
            Paragraph(
                f"As recorded: {plural(recorded.calls, 'call')} pooled, failed ones included. "
                f"Valid only: the {plural(valid.calls, 'valid call')} (see the validity rule), cold ones included in sums and rates."
            ),
            Section("Calls and Runs, Cold and Warm", (_apart(c), _cold(c))),
        ),
    )


def calls_section(c: ConfigurationSummary) -> Section:
    """The seed's table with outcome and cold; warm-up calls apart."""
    blocks: list[Block] = [_call_table(c.calls)] if c.calls else [Paragraph("No call was recorded.")]
    blocks += left_out_words(c, "calls", "call", MOST_CALLS)
    if any(is_no_measurement(call) and call.tokens == 0 for call in c.calls):
        blocks.append(Paragraph("Zeros of an aborted call are the input's placeholders, not measurements."))
    if c.warmup_calls:
        of_warmup: tuple[Block, ...] = (
            _call_table(c.warmup_calls),
            *left_out_words(c, "warmup_calls", "warm-up call"),
        )
        blocks.append(Section("Warm-up Calls (in no aggregate)", of_warmup))
    return Section("LLM Call Metrics", tuple(blocks))


def statistics_section(c: ConfigurationSummary) -> Section:
    """The seed's three lines: as recorded, valid only, over runs."""
    recorded, valid, runs = c.as_recorded, c.valid, c.over_runs
    has_cold = bool(valid.ttft_cold_ms.n)
    ttft = valid.ttft_warm_ms if has_cold else valid.ttft_ms
    return Section(
        "Statistical Summary",
        (
            Bullets(
                (
                    Bullet(
                        _cvs(recorded.throughput_tok_s, valid.throughput_tok_s, runs.throughput_tok_s),
                        "Throughput CV",
                    ),
                    Bullet(
                        _cvs(
                            recorded.ttft_ms,
                            ttft,
                            runs.ttft_ms,
                            "valid and warm" if has_cold else "valid only",
                        ),
                        "TTFT CV",
                    ),
                    Bullet(_runs(c), "Runs"),
                )
            ),
        ),
    )


def _pooled(estimate: Estimate, unit: str) -> str:
    return f"{mean_sd(estimate, unit)} (n = {estimate.n})"


def _valid_ttft(valid: ValidAggregates) -> str:
    """Cold and warm apart, where any call is known to be cold."""
    if not valid.ttft_cold_ms.n:
        return _pooled(valid.ttft_ms, "ms")
    return f"warm {_pooled(valid.ttft_warm_ms, 'ms')}, cold {_pooled(valid.ttft_cold_ms, 'ms')}"


def _tokens(aggregates: Aggregates) -> str:
    return count(aggregates.tokens) + _unknown(aggregates, "tokens")


def _sum(aggregates: Aggregates, name: str) -> str:
    return value(getattr(aggregates, name), "ms") + _unknown(aggregates, name)


def _unknown(aggregates: Aggregates, name: str) -> str:
    missing = aggregates.missing.get(name)
    return f" ({missing} of {plural(aggregates.calls, 'call')} not known)" if missing else ""


def _apart(c: ConfigurationSummary) -> Table:
    runs = c.over_runs
    method = _METHOD[runs.throughput_method]
    rows = (
        (
            "Throughput, as recorded",
            _pooled(c.as_recorded.throughput_tok_s, "tok/s"),
            "all calls, failed ones included",
        ),
        ("Throughput, valid calls", _pooled(c.valid.throughput_tok_s, "tok/s"), "valid calls"),
        ("Throughput, over runs", _pooled(runs.throughput_tok_s, "tok/s"), f"complete runs ({method})"),
        ("TTFT, as recorded", _pooled(c.as_recorded.ttft_ms, "ms"), "all calls, failed ones included"),
        ("Warm TTFT, valid calls", _pooled(c.valid.ttft_warm_ms, "ms"), "calls known to be warm"),
        (
            "TTFT, every first text seen",
            _pooled(c.ttft_warm_observed_ms, "ms"),
            "calls not known to be cold, failed ones included, suspect ones not",
        ),
        ("Cold TTFT, valid calls", _pooled(c.valid.ttft_cold_ms, "ms"), "calls known to be cold"),
        (
            "TTFT, over runs",
            _pooled(runs.ttft_ms, "ms"),
            f"complete runs ({_TTFT_OF_A_LOAD if runs.throughput_method == 'output_over_window' else _TTFT})",
        ),
        *_reasoning(c.conditions),
        *_itl(c.conditions),
    )
    return Table(("Figure", "Mean ± sd", "± is over"), "lrl", tuple(map(Row, rows)))


def _reasoning(conditions: Conditions | None) -> tuple[tuple[str, str, str], ...]:
    if conditions is None or not conditions.reasoning_ttft_ms.n:
        return ()
    figure = _pooled(conditions.reasoning_ttft_ms, "ms")
    return (("TTFT of reasoning text", figure, "valid calls with reasoning text"),)


def _itl(conditions: Conditions | None) -> tuple[tuple[str, str, str], ...]:
    """ITL where tokens are counted; of single gaps only where the tokens of each frame are known."""
    if conditions is None or not conditions.itl_mean_ms.n:
        return ()
    mean = ("Mean ITL, valid calls", _pooled(conditions.itl_mean_ms, "ms"), "valid calls")
    gaps = conditions.itl_gaps
    if gaps is None:
        return (mean, ("ITL of single gaps", ABSENT, "not shown: tokens per frame are not known"))
    figure = f"{gaps_text(gaps)} (n = {gaps.n})"
    return (mean, ("ITL of single gaps", figure, "gaps of valid calls with known tokens per frame"))


def _cold(c: ConfigurationSummary) -> Block:
    if c.cold_calls:
        items = [
            Bullet(f"cold, load time {value(call.load_ms, 'ms')}", f"Run {call.run} / {call.stage}")
            for call in c.cold_calls[:_MOST_COLD]
        ]
        more = c.total("cold_calls") - _MOST_COLD
        if more > 0:
            items.append(Bullet(f"… and {more} more: stages.jsonl holds them all."))
        return Bullets(tuple(items))
    if c.valid.ttft_warm_ms.n or any(call.cold is False for call in c.calls):
        return Paragraph("No call is known to be cold.")
    return Paragraph("Cold or warm is unknown for every call (see the cold rule).")


def _call_table(calls: tuple[Call, ...]) -> Table:
    header = (
        *("Run", "Stage", "TTFT (ms)", "Throughput (tok/s)", "Tokens", "Duration (ms)"),
        *("Outcome", "Cold"),
    )
    return Table(header, "rlrrrrll", tuple(map(_call, calls[:MOST_CALLS])))


def _call(call: Call) -> Row:
    cells = (
        str(call.run),
        call.stage,
        value(call.ttft_ms),
        value(call.throughput_tok_s),
        count(call.tokens),
        value(call.duration_ms),
        outcome_text(call),
        cold_text(call),
    )
    return Row(cells, tone="" if call.valid else "bad")


def _cvs(recorded: Estimate, valid: Estimate, over_runs: Estimate, which: str = "valid only") -> str:
    return (
        f"{percent(recorded.cv)} as recorded ({plural(recorded.n, 'call')}), "
        f"{percent(valid.cv)} {which} ({plural(valid.n, 'call')}), "
        f"{percent(over_runs.cv)} over runs ({plural(over_runs.n, 'run')})"
    )


def _runs(c: ConfigurationSummary) -> str:
    planned = "" if c.runs_planned is None else f" of {c.runs_planned} planned"
    return f"{c.runs}{planned}, {c.runs_complete} with every stage valid"
