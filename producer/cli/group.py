"""The group that all commands belong to."""

from __future__ import annotations

import click

from producer.cli.command import Commands

SECTIONS = {
    "Start with": ("init", "plan", "run"),
    "While it runs": ("status", "pause", "resume", "cancel", "flower"),
    "Results": ("report", "compare", "export", "ground"),
    "A cluster": ("worker", "aggregator", "doctor", "calibrate"),
    "This program": ("completion", "version"),
}


@click.group(
    cls=Commands,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND …",
    options_metavar="",
    epilog="'chimera COMMAND --help' explains each, with examples.",
)
@click.version_option(package_name="chimera-bench", prog_name="chimera")
def cli() -> None:
    """Measurements of LLM model servers across a GPU cluster."""
