"""The table of one size: each figure of Chimera beside that of a plain chord."""

from __future__ import annotations

from collections.abc import Mapping

ROWS = (
    ("plan_per_s", "planned with ids, jobs/s", "{:,.0f}"),
    ("plan_peak_mb", "memory of a process that plans, MB", "{:.0f}"),
    ("publish_per_s", "published all at once, jobs/s", "{:,.0f}"),
    ("publish_cpu_ms", "CPU time of the producer for each, ms", "{:.2f}"),
    ("publish_peak_mb", "memory of a producer that plans and publishes all at once, MB", "{:.0f}"),
    ("queued_message_bytes", "Redis, for each queued job, bytes", "{:,.0f}"),
    ("producer_following_mb", "memory of chimera run while it feeds and follows, MB", "{:.0f}"),
    ("producer_peak_mb", "memory of chimera run with the writing of the results, MB", "{:.0f}"),
    ("jobs_per_s", "carried out on 2 slots, jobs/s", "{:,.0f}"),
    ("gap_p50_ms", "between two jobs on a slot, p50, ms", "{:.1f}"),
    ("gap_p99_ms", "p99, ms", "{:.1f}"),
    ("between_ms", "mean, ms", "{:.1f}"),
    ("workload_ms", "made-up workload, mean, ms", "{:.1f}"),
    ("worker_cpu_ms", "CPU time of a worker for each job, with the workload, ms", "{:.1f}"),
    ("redis_cpu_ms", "CPU time of Redis for each job, ms", "{:.2f}"),
    ("deliveries", "deliveries", "{:,.0f}"),
    ("callback_bytes", "largest message to the aggregator, bytes", "{:,.0f}"),
    ("last_to_callback_s", "last outcome → last callback is done, s", "{:.2f}"),
    ("last_to_summary_s", "last outcome → summary of the sweep, s", "{:.2f}"),
    ("last_to_report_s", "last outcome → report, s", "{:.2f}"),
    ("summary_of_one_s", "longest callback, s", "{:.2f}"),
    ("finaliser_s", "finaliser, s", "{:.2f}"),
    ("aggregator_cpu_s", "CPU time of the aggregator, s", "{:.1f}"),
    ("aggregator_peak_mb", "memory of the aggregator, MB", "{:.0f}"),
    ("worker_peak_mb", "memory of a worker's process, MB", "{:.0f}"),
    ("redis_peak_mb", "Redis at most, MB", "{:.1f}"),
    ("stored_outcome_bytes", "Redis, for each stored outcome, bytes", "{:,.0f}"),
    ("stages_bytes", "stages.jsonl, for each job, bytes", "{:,.0f}"),
    ("connections_of_a_worker", "connections to Redis of a worker", "{:.0f}"),
    ("connections_of_the_aggregator", "of the aggregator", "{:.0f}"),
    ("connections_of_the_producer", "of the producer", "{:.0f}"),
    ("wall_s", "the whole, s", "{:.1f}"),
)


def table(chimera: Mapping[str, float | None], plain: Mapping[str, float | None]) -> str:
    """Return the table as Markdown."""
    lines = ["| | Chimera | plain chord | ratio |", "|---|---:|---:|---:|"]
    for key, name, form in ROWS:
        ours, theirs = chimera.get(key), plain.get(key)
        ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else "–"
        lines.append(f"| {name} | {_cell(ours, form)} | {_cell(theirs, form)} | {ratio} |")
    if plain and not plain.get("ended"):
        lines.append("\nThe plain chord's callback did not end within the limit.")
    return "\n".join(lines)


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
