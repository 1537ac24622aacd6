"""What is said of one figure over runs, and what is not."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from analysis.statistics.description import Description, describe
from analysis.statistics.sequential import confidence_sequence


def test_no_value() -> None:
    assert describe([]) == describe([None, None]) == Description.none()


def test_one_run_shows_no_spread() -> None:
    found = describe([None, 5])
    assert (found.n, found.mean, found.sd, found.cv) == (1, 5.0, None, None)
    assert (found.median, found.q1, found.q3, found.min, found.max, found.iqr) == (5, 5, 5, 5, 5, 0)
    assert found.mean_interval is found.median_interval is None


def test_everything_of_ten_runs() -> None:
    found = describe([float(value) for value in (9, 1, 2, 3, 10, 5, 6, 7, 8, 4)])
    assert (found.n, found.mean, found.median, found.q1, found.q3, found.iqr) == (
        10,
        5.5,
        5.5,
        3.25,
        7.75,
        4.5,
    )
    assert (found.min, found.max) == (1, 10)
    assert found.sd == pytest.approx(3.02765, abs=1e-5)
    assert found.mean_interval is not None
    assert found.mean_interval.method == "bca"
    assert found.median_interval is not None
    assert [(entry.percent, entry.value) for entry in found.percentiles] == [
        (90, None),
        (95, None),
        (99, None),
    ]


def test_the_population_sd_changes_no_interval() -> None:
    values = [1.0, 2.0, 4.0]
    sample, population = describe(values), describe(values, "population")
    assert population.sd != sample.sd
    assert population.mean_interval == sample.mean_interval


def test_where_the_number_of_runs_was_decided_by_looking() -> None:
    values = [10.0, 11.0, 9.0, 10.5, 9.5, 10.2, 9.9]
    found = describe(values, confidence_sequence=True, last=50)
    assert found.mean_interval == confidence_sequence(values, 50)
    assert found.median_interval is None


def test_reads_back_what_it_wrote() -> None:
    found = describe([float(value) for value in range(12)])
    assert TypeAdapter(Description).validate_json(TypeAdapter(Description).dump_json(found)) == found
