"""The ambiguities, against plain numpy: which changes of object and probe the photons do not see."""

from __future__ import annotations

import numpy as np
import pytest

from ptycho_nb.errors import InputError
from ptycho_nb.lessons.ambiguities import (
    PATHS,
    Guess,
    Moves,
    amplitudes,
    experiment,
    global_phase,
    likeness,
    mirror,
    object_conjugated,
    object_moved,
    ramp,
    raster_grid,
    scale,
    translation,
    twin,
)

N, STEP, SHAPE = 16, 4, (38, 47)
CLEAR = 1e-6  # relative


@pytest.fixture
def guess(rng):
    """An oblong object on a raster of whole steps; the probe is zero from 5 px off its middle on."""
    canvas = rng.uniform(0.5, 1, SHAPE) * np.exp(1j * rng.uniform(-1, 1, SHAPE))
    axis = np.arange(N) - N // 2
    lit = np.hypot(axis[:, None], axis) < 5
    probe = 40 * lit * rng.uniform(0.5, 1, (N, N)) * np.exp(1j * rng.uniform(-2, 2, (N, N)))
    rows, columns = np.meshgrid(11 + STEP * np.arange(4), 12 + STEP * np.arange(6), indexing="ij")
    return Guess(canvas, probe, np.stack([rows.ravel(), columns.ravel()], -1))


@pytest.fixture
def measured(guess, rng):
    return rng.poisson(np.square(amplitudes(guess))).astype(float)


def plain_misfit(guess, measured) -> float:
    """R pattern by pattern, the Fourier sum written out as two matrix products."""
    half = N // 2
    k = np.arange(N) - half
    fourier = np.exp(-2j * np.pi * np.outer(k, k) / N) / np.sqrt(N)
    above = below = 0.0
    for (row, column), photons in zip(guess.positions, measured, strict=True):
        wave = guess.object[row - half : row + half, column - half : column + half] * guess.probe
        expected = np.abs(fourier @ wave @ fourier.T)
        if guess.rows_reversed:
            expected = expected[(-np.arange(N)) % N]
        above += np.abs(expected - np.sqrt(photons)).sum()
        below += np.sqrt(photons).sum()
    return above / below


SAME = {
    "phase": lambda g: global_phase(g, 1.3),
    "scale": lambda g: scale(g, 0.6),
    "complex scale": lambda g: scale(g, 1 - 2j),
    "ramp": lambda g: ramp(g, (0.7, -1.9)),
    "translation": lambda g: translation(g, (-2, 3)),
    "raster grid": lambda g: raster_grid(g, STEP, 0.9),
    "twin": twin,
    "mirror": mirror,
    "all": lambda g: twin(mirror(translation(ramp(scale(raster_grid(g, STEP, 0.4), 2.0), (1.0, 2.0)), (1, -3)))),
}
OTHER = {
    "object moved": lambda g: object_moved(g, (0, 1)),
    "object conjugated": object_conjugated,
    "grid of another period": lambda g: raster_grid(g, STEP + 1, 0.9),
    "object times a phase ramp": lambda g: g._replace(object=ramp(g, (0.0, 1.0)).object),
    "twin at the old positions": lambda g: twin(g)._replace(positions=g.positions),
    "twin with the old probe": lambda g: twin(g)._replace(probe=g.probe),
    "mirror with the rows read as before": lambda g: mirror(g)._replace(rows_reversed=False),
}


@pytest.mark.parametrize("name", SAME)
def test_a_free_change_leaves_the_misfit(name, guess, measured):
    changed = SAME[name](guess)
    assert not np.allclose(changed.object, guess.object)
    assert plain_misfit(changed, measured) == pytest.approx(plain_misfit(guess, measured), rel=CLEAR)


@pytest.mark.parametrize("name", OTHER)
def test_any_other_change_raises_the_misfit(name, guess, measured):
    assert plain_misfit(OTHER[name](guess), measured) > 1.5 * plain_misfit(guess, measured)


@pytest.mark.parametrize("name", [*SAME, *OTHER])
def test_amplitudes_are_those_of_plain_numpy(name, guess, measured):
    changed = {**SAME, **OTHER}[name](guess)
    quick = np.abs(amplitudes(changed) - np.sqrt(measured)).sum() / np.sqrt(measured).sum()
    assert quick == pytest.approx(plain_misfit(changed, measured), rel=1e-10)


def test_off_the_raster_the_periodic_function_shows(guess, rng):
    jittered = guess._replace(positions=guess.positions + rng.integers(-1, 2, guess.positions.shape))
    measured = rng.poisson(np.square(amplitudes(jittered))).astype(float)
    assert plain_misfit(raster_grid(jittered, STEP, 0.9), measured) > 2 * plain_misfit(jittered, measured)


@pytest.mark.parametrize("change", [twin, mirror])
def test_twin_and_mirror_undo_themselves(change, guess):
    back = change(change(guess))
    for found, was in zip(back, guess, strict=True):
        np.testing.assert_array_equal(found, was)


def test_a_ramp_moves_the_far_field_of_the_object_by_as_many_pixels(guess):
    pixels = (3.0, -2.0)
    fields = [np.fft.fft2(np.fft.ifftshift(wave)) for wave in (guess.probe, ramp(guess, pixels).probe)]
    np.testing.assert_allclose(np.abs(fields[1]), np.abs(np.roll(fields[0], (-3, 2), (0, 1))), atol=1e-9 * np.abs(fields[0]).max())


def test_what_cannot_be_done_is_said(guess):
    with pytest.raises(InputError, match="any finite number but 0"):
        scale(guess, 0)
    with pytest.raises(InputError, match="reaches beyond the object"):
        amplitudes(guess._replace(positions=guess.positions - 6))
    with pytest.raises(InputError, match="'rastr'; allowed: raster, jittered"):
        experiment("rastr")


FREE = (Moves(phase=2.0), Moves(scale=0.5), Moves(ramp=-3.25), Moves(shift=8), Moves(shift=-8), Moves(twin=True), Moves(mirror=True))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("moves", FREE, ids=str)
def test_the_misfit_of_the_lesson_stays_on_either_path(path, moves):
    scan = experiment(path)
    assert scan.misfit(moves.on(scan.truth)) == pytest.approx(scan.noise, rel=CLEAR)


def test_the_grid_of_the_lesson_shows_on_the_jittered_path_only():
    raster, jittered = (experiment(path) for path in PATHS)
    moves = Moves(grid=0.3)
    assert raster.misfit(moves.on(raster.truth)) == pytest.approx(raster.noise, rel=CLEAR)
    assert jittered.misfit(moves.on(jittered.truth)) > 2 * jittered.noise


@pytest.mark.parametrize("moves", [Moves(object_shift=1), Moves(conjugate=True)], ids=str)
def test_what_is_no_ambiguity_doubles_the_misfit_of_the_lesson(moves):
    scan = experiment()
    assert scan.misfit(moves.on(scan.truth)) > 2 * scan.noise


@pytest.mark.parametrize("moves", FREE[:5], ids=str)
def test_alignment_takes_off_what_the_metric_fits(moves):
    scan = experiment()
    guess = moves.on(scan.truth)
    before, after = scan.as_it_is(guess), likeness(scan.aligned(guess))
    assert min(before.amplitude, before.phase) < 0.8
    assert min(after.amplitude, after.phase) > 0.999


@pytest.mark.parametrize("moves", [Moves(grid=0.9), *FREE[5:]], ids=str)
def test_alignment_does_not_take_off_grid_twin_and_mirror(moves):
    scan = experiment()
    after = likeness(scan.aligned(moves.on(scan.truth)))
    assert max(after.amplitude, after.phase) < 0.5


def test_turned_back_twin_and_mirror_are_the_truth():
    scan, moves = experiment(), Moves(phase=1.0, shift=5, twin=True, mirror=True)
    after = likeness(scan.aligned(moves.turned(moves.on(scan.truth))))
    assert min(after.amplitude, after.phase) > 0.999


def test_the_probe_of_the_lesson_keeps_clear_of_its_rim():
    probe = experiment().truth.probe
    assert np.abs(np.roll(probe, (8, -8), (0, 1)))[0].max() == 0
    assert np.count_nonzero(probe[:9]) == 0 < np.count_nonzero(probe)
