"""The command line. Every command is a thin call into the module of its name."""

from producer.cli.group import cli
from producer.cli.program import main

__all__ = ["cli", "main"]
