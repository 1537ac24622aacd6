"""Stage records → summary → report. Pure: no Celery, no HTTP, no Redis.

::

    stages_io      stages.jsonl, CSV                   → StageRecord
    judgement      StageRecord                         → Call (by the rules in validity and cold)
    summary        Call                                → ConfigurationSummary → SweepSummary
    rendering      SweepSummary                        → summary.json, report.md, report.html
    results_folder reads and writes all of these
"""
