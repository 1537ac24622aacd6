"""Commands that one begins with, and those about the program itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from contracts.settings import SERVER
from producer.cli import options
from producer.cli.group import cli
from producer.cli.options import option
from producer.cli.printing import console

SHELLS = {
    "bash": "echo 'eval \"$(chimera completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(chimera completion zsh)\"' >> ~/.zshrc",
    "fish": "chimera completion fish > ~/.config/fish/completions/chimera.fish",
}
"""Shell → how its completion is installed; in shells that are started later it is there."""


@cli.command(
    examples=[
        ("init", "sweep.yaml, for the model server of this machine, or for the embedded one"),
        ("init load.yaml --workload prompts --server http://gpu1.example:8000", "a load on a vLLM elsewhere"),
        ("init - --workload agent-pair", "on standard output"),
    ],
    after="Read the file, and change what you want to measure; then 'chimera plan FILE', and 'chimera run FILE'.",
    document="producer.documents:InitDocument",
    short_help="write a commented sweep file for the model server that is there",
)
@click.argument("file", type=click.Path(path_type=Path), default=Path("sweep.yaml"), metavar="[FILE]")
@option(
    "--server",
    envvar=SERVER,
    metavar="URL",
    help="Look at this model server. Default: at the usual ports of this machine.",
)
@option(
    "--workload",
    type=click.Choice(["agent", "agent-pair", "prompts"]),
    help="agent: reads files and writes a report; agent-pair: two of them at the same time; prompts: requests under a "
    "load. Default: agent, or prompts where there are no files to read.",
)
@option("--force", is_flag=True, help="Overwrite FILE.")
@options.as_json
def init(file: Path, server: str | None, workload: Any, force: bool, as_json: bool) -> None:
    """Look at what a model server has, and write a commented sweep file for it (FILE; - is standard output).

    It asks the server which models it has and how long a context they take; it sends no prompt.
    """
    from producer.init import InitOptions, init

    told = console(stderr=as_json or str(file) == "-")
    document = init(InitOptions(file, server, workload, force, as_json), told)
    if as_json:
        click.echo(document.model_dump_json(indent=2))


@cli.command(
    examples=[(f"completion {shell}", f"install it: {how}") for shell, how in SHELLS.items()],
    after="In a new shell, 'chimera st' and the tabulator key give 'chimera status'.",
    short_help="print what a shell needs to complete commands, options and names",
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the script by which bash, zsh or fish completes commands, options, and names of executions and slots."""
    from click.shell_completion import get_completion_class

    of_shell = get_completion_class(shell)
    assert of_shell is not None
    click.echo(of_shell(cli, {}, "chimera", "_CHIMERA_COMPLETE").source())


@cli.command(
    examples=[("version", "the version"), ("version --json", "also of what measurements depend on")],
    document="producer.documents:VersionDocument",
    short_help="print the version, and of what measurements depend on",
)
@options.as_json
def version(as_json: bool) -> None:
    """Print the version; with --json also those of what measurements depend on."""
    import platform

    from producer.documents import VersionDocument
    from producer.manifest import versions

    packages = versions()
    found = VersionDocument(
        chimera=packages.pop("chimera-bench", None),
        python=packages.pop("python"),
        platform=platform.platform(),
        packages=packages,
    )
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        click.echo(f"chimera {found.chimera or 'not installed'} (Python {found.python}, {found.platform})")
