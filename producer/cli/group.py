"""The group that all commands belong to."""

from __future__ import annotations

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="chimera-bench")
def cli() -> None:
    """Measurements of LLM model servers across a GPU cluster.

    \b
    chimera plan  examples/quickstart.yaml     what would be done; sends nothing
    chimera run   examples/quickstart.yaml     do it, with an embedded Redis and model server
    chimera report results/…/stages.jsonl --out DIR
    """
