"""The analysis answer, as good servers, bad servers and small models write it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.workloads.agent.answer_lines import MAX_ITEM_CHARS, MAX_ITEMS
from worker.workloads.agent.findings import Answer, parse_answer

GOOD = {
    "findings": ["q4 is fastest.", "q8 is slowest."],
    "recommendations": ["Use q4."],
    "analysis": "Short.",
}
PARSED = Answer("Short.", ("q4 is fastest.", "q8 is slowest."), ("Use q4.",))
SEEDS = Path(__file__).resolve().parents[4] / "shared" / "seeds"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        json.dumps(GOOD, indent=2),
        f"```json\n{json.dumps(GOOD, indent=1)}\n```",
        f"Sure, here it is:\n\n{json.dumps(GOOD)}\n\nLet me know!",
        f"The set {{x}} of {{y: 1}}: {json.dumps(GOOD)}",
        json.dumps({"result": GOOD}),
        json.dumps(
            {
                "Key Findings": GOOD["findings"],
                "RECOMMENDATIONS": GOOD["recommendations"],
                "analysis": "Short.",
            }
        ),
    ],
)
def test_json_however_it_is_wrapped(text: str) -> None:
    assert parse_answer(text) == PARSED


def test_json_with_objects_strings_and_raw_line_breaks() -> None:
    text = '{"findings": [{"finding": "A b", "evidence": "mean 3"}, 7, null], "recommendations": "- One x\n- Two y"}'
    assert parse_answer(text) == Answer("", ("A b: mean 3",), ("One x", "Two y"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"findings": ["One a.", "Two b.", "Thr', Answer("", ("One a.", "Two b."))),
        (
            '{"findings": ["One a."], "recommendations": ["Do \\"x\\".", "an',
            Answer("", ("One a.",), ('Do "x".',)),
        ),
        ('{"findings": ["One a."], "analysis": "It is fa', Answer("It is fa", ("One a.",))),
        ('```json\n{"findings": [\n  "One a."\n  ]\n  \n  \n  \n', Answer("", ("One a.",))),
        ('{"findings": ["One a.", "recommendations": ["Do b."]', Answer("", ("One a.",), ("Do b.",))),
        ('{"findings": [', Answer()),
        ('{"findings": ["Cut \\', Answer()),
    ],
)
def test_json_that_was_cut(text: str, expected: Answer) -> None:
    assert parse_answer(text) == expected


MARKDOWN = """Okay, here's a structured analysis of the data.

## Summary
- Not a finding.

## 1. Key Findings
**Throughput**
- **Data Skew:** most files are JSON.
* `q4` is **fastest** at 118.0
  tok/s on average.

### Latency
1. TTFT grows with num_ctx.
2) TTFT grows with num_ctx
- Here are the recommendations:

**Recommendations:**
- **Standardise:** Use one template for all files. It should include:
    - Clear metric definitions
- Recommendations for Optimization**
- Consider extending the suite to include:
+ TTFT grows with num_ctx.

**Conclusion**
- Not a recommendation.
"""


def test_markdown() -> None:
    answer = parse_answer(MARKDOWN)
    assert answer.findings == (
        "Data Skew: most files are JSON.",
        "`q4` is fastest at 118.0 tok/s on average.",
        "TTFT grows with num_ctx.",
    )
    assert answer.recommendations == (
        "Standardise: Use one template for all files.",
        "Clear metric definitions",
    )
    assert answer.analysis.startswith("Okay, here's")


@pytest.mark.parametrize(
    "heading", ["Key Findings:", "**Findings**", "### Key Performance Findings", "- Key Findings**"]
)
def test_headings_of_findings(heading: str) -> None:
    assert parse_answer(f"{heading}\n- Only one.\n").findings == ("Only one.",)


def test_a_label_with_its_item_on_the_same_line() -> None:
    answer = parse_answer("**Key Findings:** q4 is fastest.\n**Recommendations:** Use **q4**.")
    assert answer == Answer(answer.analysis, ("q4 is fastest.",), ("Use q4.",))


@pytest.mark.parametrize(
    "text", ["", " \n", "<|im_end|>user\n" * 20, "Nothing to report.", "{}", "[]", '{"a": 1}', "null"]
)
def test_nothing_found_is_empty(text: str) -> None:
    assert parse_answer(text).findings == parse_answer(text).recommendations == ()


@pytest.mark.parametrize(
    "leak",
    [
        "Key Performance Findings**",
        "Recommendations for Optimization**",
        "Here are the recommendations:",
        "Okay, here’s a structured analysis of the provided benchmark data, designed to offer insights.",
        "Based on this analysis, here's a tiered set of recommendations, ranging from small to large:",
        "**Key Findings:**",
        "## Findings",
        "---",
        "1.",
        "42",
        "**",
    ],
)
def test_headers_and_lead_ins_are_no_findings(leak: str) -> None:
    assert parse_answer(json.dumps({"findings": [leak, "Real one."]})).findings == ("Real one.",)
    assert parse_answer(f"## Findings\n- {leak}\n\n## Findings\n- Real one.\n").findings == ("Real one.",)


def test_repeated_lines_stand_once_even_across_the_lists() -> None:
    answer = parse_answer(
        json.dumps({"findings": ["Same a.", "**same A**"], "recommendations": ["SAME a!", "New b."]})
    )
    assert (answer.findings, answer.recommendations) == (("Same a.",), ("New b.",))


def test_control_characters_and_surrogates_are_dropped() -> None:
    answer = parse_answer(
        r'{"findings": ["a\u0000b \ud83d c\u202e d<|im_end|>"], "analysis": "x\u001b[0m\ud800"}'
    )
    assert answer.findings == ("a b c d(im_end)",)
    assert answer.analysis == "x [0m"


def test_bounds() -> None:
    answer = parse_answer(json.dumps({"findings": [f"{i} " + "x y " * 500 for i in range(50)]}))
    assert len(answer.findings) == MAX_ITEMS
    assert all(len(f) <= MAX_ITEM_CHARS and f.endswith("…") for f in answer.findings)


@pytest.mark.parametrize("number", ["000", "001"])
def test_the_seeds_own_texts_leak_nothing(number: str) -> None:
    found = sorted(SEEDS.glob(f"{number}*.txt"))
    if not found:
        pytest.skip(f"{SEEDS} holds no {number}*.txt")
    answer = parse_answer(found[0].read_text(encoding="utf-8"))
    items = [*answer.findings, *answer.recommendations]
    assert answer.findings and answer.recommendations
    assert len({i.casefold() for i in items}) == len(items)
    assert not any("**" in i or i.endswith(":") or "Key Performance Findings" in i for i in items)
    assert not any(i.startswith(("Okay", "Recommendations for")) for i in items)


FRAGMENTS = st.sampled_from(
    ['"findings": [', '"recommendations":', '"analysis": "', "{", "}", "]", '"', "\\", ",", "\n", "## Key Findings\n",
     "**Recommendations:**", "- ", "1. ", "*", "**", "`", "__", ": ", "a b", "\ud800", "\x00", "here are findings", " "]
)  # fmt: skip


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=40).map("".join)))
def test_any_text_gives_a_clean_answer(text: str) -> None:
    answer = parse_answer(text)
    items = [*answer.findings, *answer.recommendations]
    assert len(answer.findings) <= MAX_ITEMS and len(answer.recommendations) <= MAX_ITEMS
    assert len(set(items)) == len(items)
    for item in items:
        assert 0 < len(item) <= MAX_ITEM_CHARS
        assert item.isprintable() and item == item.strip()
        assert "**" not in item and item.count("`") % 2 == 0
        item.encode()
    answer.analysis.encode()


@pytest.mark.parametrize(
    "unit",
    ["{", "[", '"', "\\", "*", "* ", "#", "# ", "- ", "1.", " ", "\n", "**Findings:** ", '"findings": [', '"findings":["a",',
     '{"findings":', '"analysis": "', "`", "__", ". ", "here is ", "- a:\n", "\t\n", "ok here "],
)  # fmt: skip
def test_long_answers_take_linear_time(unit: str) -> None:
    text = "## Findings\n- " + unit * (200_000 // len(unit))
    begin = time.process_time()
    parse_answer(text)
    assert time.process_time() - begin < 10  # quadratic would be minutes
