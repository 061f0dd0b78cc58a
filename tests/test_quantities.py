"""Numbers and lengths as they are written."""

from __future__ import annotations

import pytest

from ptycho_nb.quantities import count, figures, length, length_unit, several


@pytest.mark.parametrize(
    ("metres", "words"),
    [(1.63e-8, "16.3 nm"), (2.5e-6, "2.5 µm"), (6.25e-11, "62.5 pm"), (2.13e-10, "2.13 Å"), (4.2e-3, "4.2 mm"), (3e-13, "0.3 pm")],
)
def test_a_length_is_told_in_a_handy_unit(metres, words):
    assert length(metres) == words


def test_a_length_that_rounds_to_the_next_unit_is_told_in_it():
    assert length(0.9998e-6) == "1 µm"
    assert length(0.998e-6) == "998 nm"


def test_a_unit_suits_the_whole_length_and_the_pixel_is_given_in_it():
    unit, pixel = length_unit(2e-8, 100)
    assert unit == "µm"
    assert pixel == pytest.approx(0.02)


def test_a_number_has_a_true_minus_and_few_figures():
    assert figures(-0.012345) == "−0.0123"
    assert figures(123.456, 4) == "123.5"
    assert figures(-2e-7, 2) == "−2e−07"


def test_a_count_is_written_out():
    assert [count(n) for n in (0.0125, 9.99, 433_210, 2e8)] == ["0.0125", "9.99", "433,000", "2e+08"]


def test_one_of_something_is_no_plural():
    assert [several(n, "epoch") for n in (0, 1, 2, 12_000)] == ["0 epochs", "1 epoch", "2 epochs", "12,000 epochs"]
