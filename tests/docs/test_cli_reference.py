"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

import pytest

from producer.cli import cli
from producer.cli.command import Commands
from tools.cli_reference import PAGE, page


def test_the_page_is_made_from_the_commands() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "out of date: python tools/cli_reference.py"


def test_every_command_and_option_is_in_it() -> None:
    assert isinstance(cli, Commands)
    text = PAGE.read_text(encoding="utf-8")
    for name, command in cli.commands.items():
        section = text.partition(f"## `chimera {name}`\n")[2].partition("\n## ")[0]
        assert section, name
        for parameter in command.params:
            options = [option for option in parameter.opts if option.startswith("--")]
            assert [option for option in options if option not in section] == [], name


@pytest.mark.parametrize("word", [" ``", ":class:", "None`", "| object \\| null | |"])
def test_nothing_of_python_is_left(word: str) -> None:
    assert word not in PAGE.read_text(encoding="utf-8")
