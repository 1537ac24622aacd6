"""What both sides of the benchmark call the same."""

POOL = "scale"
PLAIN = "benchmarks.scale.plain"
AFTER = "benchmarks.scale.after"
DEADLINE_S = 60
WARMUPS = 3
"""Calls of the made-up workload before each run: with ingest, analysis and report six stages."""
