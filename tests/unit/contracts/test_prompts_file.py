"""Files of prompts: what is read, and what is said of what can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.failures import InputError
from contracts.prompts_file import Conversation, read_prompts


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_text_file_has_a_prompt_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "prompts.txt", "\ufeffone\n\n  two words \r\nthree\u2028still three\n")
    read = read_prompts(path)
    assert [c.turns for c in read.conversations] == [("one",), ("two words",), ("three\u2028still three",)]
    assert len(read.digest) == 16


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        '{"prompt": "hello"}',
        '{"turns": ["a", "b"], "system": "be brief", "output_tokens": 7}',
        '{"prompt": "q", "system": null, "output_tokens": null}',
    ]
    read = read_prompts(write(tmp_path, "p.jsonl", "\n".join(lines)))
    assert read.conversations == (
        Conversation(("hello",)),
        Conversation(("a", "b"), "be brief", 7),
        Conversation(("q",)),
    )


def test_the_digest_is_the_contents(tmp_path: Path) -> None:
    one, same, other = (
        read_prompts(write(tmp_path, name, text)).digest
        for name, text in (("a.txt", "x\n"), ("b.txt", "x\n"), ("c.txt", "x \n"))
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.txt", "", "holds no prompt"),
        ("p.txt", " \n\n", "holds no prompt"),
        ("p.txt", b"\xff\xfe", "can't be read as UTF-8 text"),
        ("p.jsonl", "hello", "line 1: not JSON"),
        ("p.jsonl", '{"prompt": "a"}\n[1]', "line 2: must be a JSON object"),
        ("p.jsonl", '{"prompt": "a", "temperature": 1}', "unknown key 'temperature'"),
        ("p.jsonl", "{}", "give either 'prompt', a text, or 'turns'"),
        ("p.jsonl", '{"prompt": "a", "turns": ["b"]}', "give either"),
        ("p.jsonl", '{"turns": []}', "give either"),
        ("p.jsonl", '{"turns": "abc"}', "give either"),
        ("p.jsonl", '{"prompt": null}', "a prompt is a text that is not empty"),
        ("p.jsonl", '{"prompt": " "}', "a prompt is a text that is not empty"),
        ("p.jsonl", '{"prompt": "a", "system": 3}', "'system' is a text"),
        ("p.jsonl", '{"prompt": "a", "output_tokens": 0}', "'output_tokens' is a whole number"),
        ("p.jsonl", '{"prompt": "a", "output_tokens": true}', "'output_tokens' is a whole number"),
        ("p.jsonl", "[" * 100_000, "line 1: not JSON"),
    ],
)
def test_what_can_not_be_read_is_said_in_a_line(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(InputError) as caught:
        read_prompts(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_prompts(tmp_path / "nothing.txt")
