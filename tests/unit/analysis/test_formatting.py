"""Numbers as printed: never more certain than they are."""

from __future__ import annotations

import pytest

from analysis.formatting import decimals, ends, mean_interval, p_value, p_words, signed, two_digits
from analysis.statistics.description import Description
from analysis.statistics.interval import Interval


def described(mean: float, low: float, high: float) -> Description:
    return Description(
        n=5, mean=mean, sd=1.0, cv=0.01, mean_interval=Interval(low=low, high=high, method="t")
    )


@pytest.mark.parametrize(
    ("half", "places"),
    [
        (0.0123, 3),
        (0.0999, 3),
        (0.1, 2),
        (0.87, 2),
        (1.0, 1),
        (9.9, 1),
        (10.0, 0),
        (1797.0, 0),
        (1e-12, 6),
        (0.0, 2),
    ],
)
def test_two_digits_of_the_half_width(half: float, places: int) -> None:
    assert decimals(Interval(low=-half, high=half, method="t")) == places


@pytest.mark.parametrize(
    ("percent", "shown"),
    [
        (2.2e-14, "0"),
        (0.0, "0"),
        (0.0123, "0.012"),
        (9.87, "9.9"),
        (12.3, "12"),
        (300.0, "300"),
        (1234.5, "1234"),
    ],
)
def test_a_percentage_is_no_power_of_ten(percent: float, shown: str) -> None:
    assert two_digits(percent) == shown


def test_a_mean_with_its_interval() -> None:
    assert mean_interval(described(112.3456, 111.4756, 113.2156), "tok/s") == "112.35 ± 0.87 tok/s"
    assert mean_interval(described(1259.8, -537.6, 3057.2), "ms") == "1260 ± 1797 ms"
    assert mean_interval(described(100.0, 98.0, 101.0), "ms") == "100.0 ms (98.0 to 101.0)"
    assert mean_interval(Description(n=1, mean=5.0, sd=None, cv=None)) == "5.00 (one run)"
    assert mean_interval(Description(n=2, mean=5.0, sd=0.0, cv=0.0)) == "5.00"
    assert mean_interval(Description.none()) == "–"


def test_signs_and_p() -> None:
    assert signed(-3.216, Interval(low=-4.0, high=-2.4, method="t")) == "−3.22"
    assert signed(3.2) == "+3.20"
    assert signed(None) == "–"
    assert ends(Interval(low=-1.234, high=2.345, method="t")) == "−1.2 to 2.3"
    assert [p_value(p) for p in (None, 0.0, 0.00099, 0.0123, 0.5, 1.0)] == [
        *("–", "< 0.001", "< 0.001", "0.012", "0.50", "1.00")
    ]
    assert (p_words(0.0001), p_words(0.012)) == ("p < 0.001", "p = 0.012")
