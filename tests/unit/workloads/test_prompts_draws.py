"""Made prompts and schedules: the same for the same seed, with the lengths and rates that were asked for."""

from __future__ import annotations

import statistics
from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.prompts_file import Conversation
from contracts.workloads import Synthetic, TokenCounts
from worker.workloads.prompts.draws import exponential, token_count, uniform
from worker.workloads.prompts.schedule import arrivals, schedule
from worker.workloads.prompts.source import OWN_WORDS, Given, Made
from worker.workloads.prompts.words import WORDS

SYNTHETIC = Synthetic.model_validate({"input_tokens": {"min": 20, "max": 40}, "output_tokens": 8})


def made(where: str = "execution/config", seed: int = 0, run: int = 1, **fields: object) -> Made:
    synthetic = Synthetic.model_validate(SYNTHETIC.model_dump() | fields)
    return Made(synthetic, seed, run, where)


def test_a_draw_is_known_for_ever() -> None:
    # A figure that changes here changes what is measured: sweeps could not be compared with older ones.
    assert uniform("a", 1) == 0.3932091834895211
    assert WORDS[0] == "time" and WORDS[255] == "song"
    assert made().conversation(0).turns[0].split()[OWN_WORDS : OWN_WORDS + 4] == [
        "summer",
        "building",
        "law",
        "education",
    ]


def test_draws_are_uniform() -> None:
    draws = [uniform("seed", n) for n in range(4000)]
    assert all(0 < draw < 1 for draw in draws)
    assert statistics.mean(draws) == pytest.approx(0.5, abs=0.02)
    assert statistics.pvariance(draws) == pytest.approx(1 / 12, abs=0.005)


@given(
    low=st.integers(1, 1000),
    span=st.integers(0, 1000),
    drawn=st.floats(0, 1, exclude_min=True, exclude_max=True),
    normal=st.none() | st.tuples(st.floats(1, 3000), st.floats(0, 500)),
)
def test_lengths_stay_within_their_limits(
    low: int, span: int, drawn: float, normal: tuple[float, float] | None
) -> None:
    mean, sd = normal or (None, None)
    assert low <= token_count(TokenCounts(min=low, max=low + span, mean=mean, sd=sd), drawn) <= low + span


def test_the_distributions_of_lengths() -> None:
    draws = [(n + 0.5) / 5000 for n in range(5000)]
    uniformly = Counter(token_count(TokenCounts(min=3, max=7), draw) for draw in draws)
    assert uniformly == dict.fromkeys(range(3, 8), 1000)
    normally = [token_count(TokenCounts(min=1, max=1000, mean=200, sd=20), draw) for draw in draws]
    assert statistics.mean(normally) == pytest.approx(200, abs=0.5)
    assert statistics.stdev(normally) == pytest.approx(20, rel=0.02)
    cut = Counter(token_count(TokenCounts(min=190, max=1000, mean=200, sd=20), draw) for draw in draws)
    assert cut[190] < 2 * cut[191]  # not heaped up at the end


def test_prompts_have_the_asked_lengths_and_beginnings_of_their_own() -> None:
    conversations = [made().conversation(n) for n in range(200)]
    lengths = Counter(c.input_tokens for c in conversations)
    assert set(lengths) <= set(range(20, 41)) and len(lengths) > 15
    assert all(len(c.turns[0].split()) == c.input_tokens for c in conversations)
    assert {c.output_tokens for c in conversations} == {8}
    assert len({" ".join(c.turns[0].split()[:OWN_WORDS]) for c in conversations}) == 200


def test_the_same_seed_and_run_give_the_same_prompts_but_for_their_beginnings() -> None:
    one, same, elsewhere = made(), made(), made("execution/other")
    for n in range(20):
        a, b, c = (source.conversation(n) for source in (one, same, elsewhere))
        assert a == b
        assert a.input_tokens == c.input_tokens
        assert a.turns[0].split()[OWN_WORDS:] == c.turns[0].split()[OWN_WORDS:]
        assert a.turns[0].split()[:OWN_WORDS] != c.turns[0].split()[:OWN_WORDS]  # no cache knows it
    assert made(seed=1).conversation(0) != made(run=2).conversation(0) != one.conversation(0)


def test_shared_prefixes() -> None:
    source = made(prefixes=3, prefix_tokens=12)
    words = [source.conversation(n).turns[0].split() for n in range(100)]
    assert len({" ".join(one[:12]) for one in words}) == 3
    assert len({" ".join(one[12 : 12 + OWN_WORDS]) for one in words}) == 100
    assert all(20 <= len(one) <= 40 for one in words)


def test_turns() -> None:
    conversation = made(turns=3).conversation(0)
    assert len(conversation.turns) == len(set(conversation.turns)) == 3
    assert {len(turn.split()) for turn in conversation.turns} == {conversation.input_tokens}


def test_what_is_made_ahead_is_what_would_be_made() -> None:
    ahead, later = made(), made()
    ahead.prepare(5, 10)
    assert [ahead.conversation(n) for n in range(20)] == [later.conversation(n) for n in range(20)]


def test_a_file_is_taken_in_an_order_by_seed_and_run_again_and_again() -> None:
    conversations = [Conversation((str(n),)) for n in range(10)]
    order = [Given.shuffled(conversations, 0, 1).conversation(n) for n in range(20)]
    assert order[:10] == order[10:] != conversations
    assert sorted(c.turns for c in order[:10]) == sorted(c.turns for c in conversations)
    assert order[:10] == [Given.shuffled(conversations, 0, 1).conversation(n) for n in range(10)]
    others = [Given.shuffled(conversations, seed, run).conversation for seed, run in ((0, 2), (1, 1))]
    assert all([other(n) for n in range(10)] != order[:10] for other in others)


@pytest.mark.parametrize("kind", ["poisson", "constant"])
@pytest.mark.parametrize("rate", [0.5, 40.0])
def test_a_schedule_has_the_rate_that_was_asked_for(kind: str, rate: float) -> None:
    times = list(islice(arrivals(rate, kind, 7, 1, 1), 5000))  # type: ignore[arg-type]
    assert times == list(islice(arrivals(rate, kind, 7, 1, 1), 5000))  # type: ignore[arg-type]
    assert all(a < b for a, b in pairwise(times))
    assert 5000 / times[-1] == pytest.approx(rate, rel=0.05)
    gaps = [(b - a) * rate for a, b in pairwise(times)]
    assert statistics.pstdev(gaps) == pytest.approx(1.0 if kind == "poisson" else 0.0, abs=0.05)


def test_another_run_has_other_arrivals_and_another_rate_the_same_ones_scaled() -> None:
    one, other_run, faster = (
        list(islice(arrivals(rate, "poisson", 0, run, 1), 50))
        for rate, run in ((10.0, 1), (10.0, 2), (20.0, 1))
    )
    assert one != other_run
    assert faster == pytest.approx([at / 2 for at in one])


def test_exponential_draws() -> None:
    assert statistics.mean(exponential((n + 0.5) / 10_000) for n in range(10_000)) == pytest.approx(
        1, abs=0.001
    )


@pytest.mark.parametrize(
    ("requests", "duration_s", "most", "made", "bounded"),
    [
        (5, None, 100, 5, False),
        (None, 1.0, 100, 10, False),
        (5, 1.0, 100, 5, False),
        (50, 1.0, 100, 10, False),
        (None, 1.0, 4, 4, True),
        (5, None, 4, 4, True),
        (4, None, 4, 4, False),
        (5, None, 0, 0, True),
    ],
)
def test_where_a_schedule_ends(
    requests: int | None, duration_s: float | None, most: int, made: int, bounded: bool
) -> None:
    times, cut = schedule(arrivals(10, "constant", 0), requests=requests, duration_s=duration_s, most=most)
    assert times == [n / 10 for n in range(made)]
    assert cut is bounded
