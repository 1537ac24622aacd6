"""The clock, and what keeps the process quiet while it measures."""
