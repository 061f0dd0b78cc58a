"""What is shown of an object: physics of ramp, unwrapping and twin; limits, crops and lines that are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ptycho_nb.config import ViewConfig
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.history import State
from ptycho_nb.result import Reconstruction
from ptycho_nb.views import CIRCLE, EVEN, LOW, circular, even, profile, robust, view

SHAPE = (72, 104)
RAMP = np.array([0.031, -0.057])  # rad/px
MARGIN = 12  # px from the rim to the outermost probe centre


@pytest.fixture
def structure(rng):
    """A smooth transmission with a phase of about ±0.5 rad."""
    amplitude, phase = (gaussian_filter(rng.normal(size=SHAPE), 2.0) for _ in range(2))
    return (0.8 + 0.05 * amplitude / amplitude.std()) * np.exp(0.25j * phase / phase.std())


def plane(slope=RAMP, shape=SHAPE):
    return slope[0] * np.arange(shape[0])[:, None] + slope[1] * np.arange(shape[1])


def result_of(object, coverage=None, **more):
    rows, columns = np.meshgrid(*(np.arange(MARGIN, n - MARGIN + 1, 4.0) for n in object.shape), indexing="ij")
    coverage = np.ones(object.shape) if coverage is None else coverage
    given = {
        "object": object.astype(np.complex64),
        "coverage": coverage.astype(np.float32),
        "probe": np.ones((1, 16, 16), np.complex64),
        "positions": np.stack([rows.ravel(), columns.ravel()], 1),
        "origin": (0, 0),
        "pixel_size": 1e-8,
        "method": "Iterative",
        "state": State.DONE,
    }
    return Reconstruction(**(given | more))


def apart(one, other):
    """The greatest difference of two phases round the circle, a common constant left out [rad]."""
    turn = np.exp(1j * (one - other))
    return np.abs(np.angle(turn * np.exp(-1j * np.angle(turn.sum())))).max()


@pytest.mark.parametrize("unwrap", [False, True])
@pytest.mark.parametrize("slope", [RAMP, 10 * RAMP, (1.2, 0.0), (0.0, -2.0)])
def test_a_ramp_on_the_object_changes_nothing_once_it_is_removed(structure, slope, unwrap):
    slope = np.asarray(slope)
    config = ViewConfig(remove_ramp=True, unwrap=unwrap)
    plain, ramped = (view(result_of(o), config) for o in (structure, structure * np.exp(1j * plane(slope))))
    assert apart(plain.phase, ramped.phase) < 1e-3
    np.testing.assert_allclose(np.subtract(ramped.ramp, plain.ramp), slope, atol=1e-5)
    assert "ramp" in ramped.caption


@pytest.mark.parametrize("unwrap", [False, True])
def test_a_known_ramp_is_found_beside_matter(unwrap):
    """Flat surroundings and a few discs of matter: the plane is that of the surroundings."""
    r, c = np.indices(SHAPE)
    matter = sum(np.hypot(r - y, c - x) < 9 for y, x in ((25, 30), (50, 34), (30, 80)))
    found = view(result_of(np.exp(1j * (plane() - 0.9 * matter))), ViewConfig(remove_ramp=True, unwrap=unwrap))
    np.testing.assert_allclose(found.ramp, RAMP, atol=1e-3 / max(SHAPE))
    assert np.ptp(found.phase[matter == 0]) < 1e-3
    assert found.phase[matter > 0].mean() - found.phase[matter == 0].mean() == pytest.approx(-0.9, abs=1e-3)


def test_a_ramp_is_found_through_noise(rng):
    noise = 0.3 * rng.normal(size=SHAPE)
    found = view(result_of(np.exp(1j * (plane() + noise))), ViewConfig(remove_ramp=True))
    np.testing.assert_allclose(found.ramp, RAMP, atol=5e-4)


def test_unwrapping_gives_back_a_phase_of_several_turns():
    y, x = (np.linspace(-1, 1, n) for n in SHAPE)
    phase = 9 * np.pi * np.exp(-(y[:, None] ** 2 + x**2) / 0.4)
    found = view(result_of(np.exp(1j * phase)), ViewConfig(unwrap=True, crop="all"))
    left = found.phase - phase
    assert np.ptp(left) < 1e-4
    assert np.ptp(found.phase) > 8 * np.pi
    assert found.phase_map == EVEN
    assert found.phase_ticks is None
    assert -found.phase_limits[0] == found.phase_limits[1] > np.pi


def test_unwrapping_goes_round_what_got_no_light():
    """Two halves that hang together by a narrow bridge only: nothing is read across the dark between them."""
    coverage = np.ones(SHAPE)
    coverage[:, 40:60], coverage[30:36, 40:60] = 0, 1
    phase = 0.9 * np.arange(SHAPE[1]) + 0.02 * np.arange(SHAPE[0])[:, None]
    found = view(result_of(np.exp(1j * phase), coverage), ViewConfig(unwrap=True, crop="all"))
    np.testing.assert_array_equal(np.isnan(found.phase), coverage == 0)
    assert np.ptp((found.phase - phase)[coverage > 0]) < 1e-4


def test_the_mean_phase_over_the_scanned_region_is_off(structure):
    for config in (ViewConfig(), ViewConfig(unwrap=True)):
        found = view(result_of(1j * structure), config)
        assert abs(np.angle(np.exp(1j * found.phase[found.inside].astype(float)).sum())) < 2e-2
    assert abs(found.phase[found.inside].mean()) < 1e-5


def test_the_twin_of_the_twin_is_the_same_view(structure):
    coverage = np.ones(SHAPE)
    coverage[:5], coverage[:, :9] = 0, 0
    result = result_of(structure, coverage, origin=(-3, 7))
    once, twice = view(result), view(result.twin(), ViewConfig(twin=True))
    np.testing.assert_array_equal(once.amplitude, twice.amplitude)
    np.testing.assert_allclose(once.phase, twice.phase, atol=1e-6)
    assert once.box == twice.box
    assert once.inside == twice.inside
    assert once.amplitude_limits == twice.amplitude_limits


def test_the_twin_is_turned_and_conjugate(structure):
    plain, twin = view(result_of(structure)), view(result_of(structure), ViewConfig(twin=True))
    np.testing.assert_array_equal(twin.amplitude, plain.amplitude[::-1, ::-1])
    np.testing.assert_allclose(twin.phase, -plain.phase[::-1, ::-1], atol=1e-6)
    assert "twin" in twin.caption


def test_crops_are_what_they_say(structure):
    coverage = np.zeros(SHAPE)
    coverage[4:70, 6:100] = 1
    coverage[4:20, 6:20] = 0.01  # lit too little to be shown
    shapes = {crop: view(result_of(structure, coverage), ViewConfig(crop=crop)) for crop in ("all", "covered", "scanned")}
    assert shapes["all"].shape == SHAPE
    assert shapes["covered"].shape == (66, 94)
    assert shapes["scanned"].shape == tuple(n - 2 * MARGIN + 1 for n in SHAPE)
    for crop, found in shapes.items():
        cut = np.abs(structure)[found.box]
        seen = np.isfinite(found.amplitude)
        np.testing.assert_allclose(found.amplitude[seen], cut[seen], rtol=1e-6)
        assert not seen[coverage[found.box] < 0.02].any(), crop
        np.testing.assert_array_equal(np.isnan(found.phase), ~seen)
        np.testing.assert_array_equal(found.amplitude[found.inside], shapes["scanned"].amplitude)
        assert found.amplitude_limits == shapes["scanned"].amplitude_limits
        assert "{} × {} px".format(*found.shape) in found.amplitude_words


def test_limits_are_the_outer_parts_per_thousand_of_the_scanned_region(structure):
    structure[:MARGIN] = 50  # outside of it
    structure[40, 50] = 1000  # one stray pixel
    found = view(result_of(structure))
    inside = np.abs(structure)[found.inside]
    assert found.amplitude_limits == pytest.approx(tuple(np.percentile(inside, (LOW, 100 - LOW))), rel=1e-5)
    assert found.amplitude_limits[1] < 1.5


def test_limits_by_hand_hold_and_need_a_range(structure):
    config = ViewConfig(amplitude_low=0.2, amplitude_high=0.9, phase_low=-1.5)
    found = view(result_of(structure), config)
    assert found.amplitude_limits == (0.2, 0.9)
    assert found.phase_limits[0] == -1.5
    assert found.phase_limits[1] == view(result_of(structure)).phase_limits[1]
    with pytest.raises(InputError, match="amplitude is to be drawn from 5"):
        view(result_of(structure), ViewConfig(amplitude_low=5))


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2, 1), (0.5, -3.0)])
@pytest.mark.parametrize("what", ["amplitude", "phase"])
def test_a_low_limit_above_the_high_one_is_refused_beside_the_high_one(what, low, high):
    values = {f"{what}_low": low, f"{what}_high": high}
    problems = ViewConfig.problems(values)
    assert list(problems) == [f"{what}_high"]
    assert f"above {what}_low" in problems[f"{what}_high"]
    with pytest.raises(ConfigError):
        ViewConfig(**values)


def test_a_wrapped_phase_runs_round_a_circle_and_a_small_one_lies_about_zero(rng):
    wrapped, small = (result_of(np.exp(1j * rng.uniform(-size, size, SHAPE))) for size in (np.pi, 0.4))
    round_, flat = view(wrapped), view(small)
    assert (round_.phase_map, round_.phase_limits) == (CIRCLE, (-np.pi, np.pi))
    assert round_.phase_ticks[np.pi] == "π"
    assert (flat.phase_map, flat.phase_ticks) == (EVEN, None)
    assert flat.phase_limits == pytest.approx((-0.4, 0.4), rel=0.01)
    asked = view(small, ViewConfig(phase_map="twilight"))
    assert (asked.phase_map, asked.phase_limits) == (CIRCLE, (-np.pi, np.pi))
    assert view(wrapped, ViewConfig(phase_map="RdBu_r")).phase_map == "RdBu_r"
    gray = view(small, ViewConfig(phase_map="gray"))
    assert gray.phase_limits == pytest.approx(robust(gray.phase[gray.seen]))
    assert circular(np.array([3.0, -3.0]))
    assert not circular(np.array([0.3, -0.3]))


def test_an_object_without_light_is_refused_in_a_sentence(structure):
    with pytest.raises(InputError, match="no light anywhere"):
        view(result_of(structure, np.zeros(SHAPE)))


def test_pixels_that_are_no_numbers_are_not_shown(structure):
    structure[30, 40] = np.nan
    found = view(result_of(structure), ViewConfig(remove_ramp=True, unwrap=True))
    assert np.isnan(found.phase).sum() == np.isnan(found.amplitude).sum() == 1


def test_a_constant_object_has_limits():
    found = view(result_of(np.ones(SHAPE)), ViewConfig(remove_ramp=True))
    assert found.amplitude_limits[0] < 1 < found.amplitude_limits[1]
    assert found.phase_limits[0] < 0 < found.phase_limits[1]
    np.testing.assert_allclose(found.ramp, 0, atol=1e-9)


def test_a_line_reads_amplitude_and_phase_between_pixels():
    c = np.indices(SHAPE)[1]
    found = view(result_of((0.5 + 0.005 * c) * np.exp(1j * (plane()))), ViewConfig(crop="all"))
    line = profile(found, (10, 20.5), (40, 60.5))
    assert line.distance[[0, -1]] == pytest.approx((0, 50))
    assert np.diff(line.distance).max() <= 1 + 1e-9
    columns = np.linspace(20.5, 60.5, len(line.distance))
    np.testing.assert_allclose(line.amplitude, 0.5 + 0.005 * columns, rtol=1e-5)
    steps = np.angle(np.exp(1j * np.diff(line.phase))) / np.diff(line.distance)
    np.testing.assert_allclose(steps, RAMP @ np.array([30, 40]) / 50, atol=1e-3)


def test_a_line_across_a_jump_of_a_wrapped_phase_averages_nothing(structure):
    wrapped = view(result_of(structure * np.exp(1j * plane((0.0, 0.5)))), ViewConfig(crop="all"))
    line = profile(wrapped, (30.5, 5.5), (30.5, 94.5))
    steps = np.angle(np.exp(1j * np.diff(line.phase)))
    assert np.abs(steps - 0.5).max() < 0.35


def test_a_line_says_nothing_of_what_got_no_light(structure):
    coverage = np.ones(SHAPE)
    coverage[:, 40:50] = 0
    line = profile(view(result_of(structure, coverage)), (30, 10), (30, 80))
    np.testing.assert_array_equal(np.isnan(line.amplitude), (line.distance > 29) & (line.distance < 40))
    np.testing.assert_array_equal(np.isnan(line.phase), np.isnan(line.amplitude))


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [((0, 0), (0, 104), "columns in 0 to 103"), ((-9, 0), (5, 5), "rows must lie in 0 to 71"), ((3, 3), (3, 3), "no length")],
)
def test_a_line_that_cannot_be_read_is_refused(structure, start, end, sentence):
    with pytest.raises(InputError, match=sentence):
        profile(view(result_of(structure), ViewConfig(crop="all")), start, end)


def test_words_tell_size_limits_and_what_was_done(structure):
    found = view(result_of(structure), ViewConfig(unwrap=True, remove_ramp=True, crop="scanned", amplitude_map="viridis"))
    assert "viridis" in found.amplitude_words
    assert "rad" in found.phase_words
    for word in ("scanned region", "mean phase", "ramp", "unwrapped", "Iterative"):
        assert word in found.caption
    assert "nan" not in (found.caption + found.amplitude_words + found.phase_words)
    assert repr(found) == "<View of scan: Iterative, 49 x 81>"


def test_limits_of_what_is_not_finite_are_those_of_the_rest(recwarn):
    values = np.array([np.nan, np.inf, 1.0, 2.0])
    assert robust(values) == pytest.approx((1, 2), abs=1e-2)
    assert robust(values[:2]) == pytest.approx((0, 1), abs=1e-5)
    assert even(values[:2]) == (-1, 1)
    assert not recwarn.list
