"""Names of results."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.naming import (
    LONGEST,
    execution_name,
    model_slug,
    models_slug,
    parse_name,
    result_name,
    summary_name,
    sweep_slug,
)
from tests.support.synthetic import synthetic

AT = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
DIGEST = "abcdef0123456789"


def test_the_convention() -> None:
    name = result_name("quickstart", ["gemma3:latest"], AT, DIGEST)
    assert name == "quickstart_gemma3-latest_20261121T120000.123Z_abcdef01"


@pytest.mark.parametrize(
    ("model", "slug"),
    [
        ("gemma3:latest", "gemma3-latest"),
        ("org/model:tag", "org-model-tag"),
        ("hf.co/Org/Model-GGUF:Q4_K_M", "hf.co-Org-Model-GGUF-Q4-K-M"),
        ("../../etc/passwd", "etc-passwd"),
        ("modèle", "modele"),
        ("模型", "model"),
        ("", "model"),
        ("a" * 200, "a" * 40),
        ("a\nb\0c", "a-b-c"),
    ],
)
def test_slugs_of_models(model: str, slug: str) -> None:
    assert model_slug(model) == slug


def test_several_models_are_counted_once_each() -> None:
    assert models_slug(["a", "b", "a", "c"]) == "3-models"
    assert models_slug(["a", "a"]) == "a"
    assert models_slug([]) == "unknown-model"


@pytest.mark.parametrize("sweep", ["con", "NUL", "com1.x", "aux"])
def test_a_device_of_windows_is_no_name(sweep: str) -> None:
    assert sweep_slug(sweep) == f"sweep-{sweep}"


def test_the_utc_is_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    assert result_name("s", ["m"], elsewhere, DIGEST) == result_name("s", ["m"], AT, DIGEST)
    with pytest.raises(ValueError, match="zone"):
        result_name("s", ["m"], AT.replace(tzinfo=None), DIGEST)


@pytest.mark.parametrize("digest", ["abc", "ABCDEF01", "not hex!"])
def test_a_digest_is_hexadecimal(digest: str) -> None:
    with pytest.raises(ValueError, match="hex digits"):
        result_name("s", ["m"], AT, digest)


@given(
    st.one_of(st.none(), st.text(max_size=300)),
    st.lists(st.text(max_size=100), max_size=3),
    st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year >= 1000),
    st.text("0123456789abcdef", min_size=8, max_size=16),
)
def test_every_name_is_safe_bounded_and_reads_back(
    sweep: str, models: list[str], at: datetime, digest: str
) -> None:
    name = result_name(sweep, models, at, digest)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
    assert len(name) <= LONGEST < 255
    read = parse_name(name)
    assert read is not None and str(read) == name
    assert (read.sweep, read.model, read.hash) == (sweep_slug(sweep), models_slug(models), digest[:8])
    assert timedelta() <= at - read.utc < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "name",
    ["", "report", "a_b_20261121T120000Z", "a_b_20261399T120000Z_abcdef01", "20261121T120000.123Z-abcdef01"],
)
def test_what_is_no_name(name: str) -> None:
    assert parse_name(name) is None


def test_an_executions_name_ends_as_the_execution_does() -> None:
    made = synthetic(name="a_sweep", runs=1)
    name = execution_name(made.manifest)
    assert name.replace("_", "-").endswith(made.manifest.execution)
    read = parse_name(name)
    assert read is not None and (read.sweep, read.model) == ("a_sweep", "m-1")
    assert summary_name(made.summary()) == name


def test_an_execution_of_another_form_is_named_by_time_and_content() -> None:
    manifest = synthetic(runs=1).manifest.model_copy(update={"execution": "by hand"})
    read = parse_name(execution_name(manifest))
    assert read is not None
    assert (read.utc, read.hash) == (manifest.created_at, manifest.sweep_id[:8])
