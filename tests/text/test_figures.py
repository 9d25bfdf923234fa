from __future__ import annotations

import pytest

from luthier.text.figures import amount, score


@pytest.mark.parametrize(("value", "shown"), [
    (0.84314, "0.8431"), (-0.5, "-0.5000"), (9.99994, "9.9999"), (9.99996, "10.00"),
    (90.4181, "90.42"), (99.6, "99.60"),
    (99.994, "99.99"), (99.996, "100.0"), (999.6, "999.6"), (999.96, "1,000"),
    (138.2167, "138.2"), (-1234.5, "-1,234"), (45132.4, "45,132"), (1e7, "10,000,000"), (float("inf"), "inf"),
    (float("nan"), "nan"),
])
def test_scores_of_any_unit_are_about_as_wide(value, shown):
    assert score(value) == shown


@pytest.mark.parametrize(("value", "shown"), [
    (0.0, "0"), (4.208797, "4.209"), (2024, "2024"), (9999.4, "9999"), (9999.5, "10,000"), (250000, "250,000"),
    (-1234567.8, "-1,234,568"), (0.00001234, "1.234e-05"), (float("inf"), "inf"), (float("nan"), "nan"),
])
def test_amounts_have_no_exponent_for_being_large(value, shown):
    assert amount(value) == shown


def test_more_digits_are_kept_where_they_are_asked_for():
    assert [amount(value, digits=6) for value in (2019.25, 101.325, 123456, 1234567)] == [
        "2019.25", "101.325", "123456", "1,234,567"]


def test_a_difference_has_its_sign():
    assert [amount(value, signed=True) for value in (36.88, -36.88, 45041.2)] == ["+36.88", "-36.88", "+45,041"]
