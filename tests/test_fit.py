"""The engine of the iterative fit: its gradients against autograd through the physics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ptycho_nb.errors import InputError
from ptycho_nb.losses import LOSSES
from ptycho_nb.physics import expected_photons
from ptycho_nb.refinement import detector as detectors
from ptycho_nb.refinement import fit as engine
from ptycho_nb.refinement import shifts
from ptycho_nb.refinement.adam import Adam
from ptycho_nb.refinement.detector import Detector
from ptycho_nb.refinement.fit import Fit, Rates

N, M, SHAPE = 16, 9, (40, 51)
LOOK = Rates(object=0.0, probe=1e-30, positions=1e-30)  # asks for every gradient, moves nothing that shows


@pytest.fixture(params=[1, 3], ids=["one mode", "three modes"])
def problem(request, rng, monkeypatch):
    """Photons and a wrong guess at what made them, float64; the shift series carried to its end."""
    monkeypatch.setattr(shifts, "DROPPED", 1e-14)
    monkeypatch.setattr(shifts, "TERMS", 16)
    monkeypatch.setattr(engine, "TERMS", 16)
    monkeypatch.setattr(detectors, "BEYOND", math.inf)
    axis = np.arange(N) - N // 2
    envelope = np.exp(-(axis[:, None] ** 2 + axis**2) / 18)
    probe = torch.from_numpy(30 * envelope * np.exp(1j * rng.uniform(-1, 1, (request.param, N, N))))
    canvas = torch.from_numpy(rng.uniform(0.5, 1, SHAPE) * np.exp(1j * rng.uniform(-1, 1, SHAPE)))
    positions = torch.from_numpy(rng.uniform(10, [29, 40], (M, 2)))
    intensity = torch.from_numpy(rng.poisson(expected_photons(canvas, probe, positions).numpy()).astype(float))
    guess = canvas * torch.from_numpy(np.exp(0.3j * rng.standard_normal(SHAPE)))
    mask = torch.from_numpy(rng.uniform(0, 1, (N, N)) > 0.2)
    return intensity, mask, guess, 1.1 * probe, positions + 0.1


def fit_of(intensity, mask, canvas, probe, positions, *, loss, farthest=1.0, **more):
    """A fit of a plain detector."""
    return Fit(Detector(intensity, mask, loss=loss), canvas, probe, positions, farthest=farthest, **more)


def autograd(problem, mask, loss, chosen):
    """Misfit and its gradients by object, probe and positions, from the plain forward model."""
    intensity, _, canvas, probe, positions = problem
    leaves = [values.clone().requires_grad_() for values in (canvas, probe, positions)]
    photons = expected_photons(leaves[0], leaves[1], leaves[2][chosen])
    misfit = LOSSES[loss](photons, intensity[chosen], mask)
    misfit.backward()
    return float(misfit.detach()), [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("masked", [False, True], ids=["all pixels", "mask"])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_autograd(problem, loss, masked):
    intensity, mask, canvas, probe, positions = problem
    mask = mask if masked else torch.ones_like(mask)
    chosen = [7, 2, 5, 0]
    fit = fit_of(intensity, mask, canvas, probe, positions, loss=loss)
    misfit = fit.step(chosen, LOOK)
    expected, (by_object, by_probe, by_positions) = autograd(problem, mask, loss, chosen)
    assert misfit == pytest.approx(expected, rel=1e-6)
    # The engine's gradient is of half the sum, and its probe is divided by N; Adam takes no notice of a factor.
    scale = 2 / (len(chosen) * int(mask.sum()))
    found = {name: scale * mover.gradient for name, mover in fit.movers.items()}
    close = {"rtol": 1e-5, "atol": 1e-7 * float(by_object.abs().max())}
    torch.testing.assert_close(torch.view_as_complex(found["object"]), by_object, **close)
    torch.testing.assert_close(torch.view_as_complex(found["probe"]), by_probe * N, rtol=1e-5, atol=1e-6 * float(by_probe.abs().max()) * N)
    torch.testing.assert_close(found["positions"][chosen], by_positions[chosen], rtol=1e-5, atol=1e-6 * float(by_positions.abs().max()))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_in_float32_with_the_short_series_are_near(problem, loss, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(detectors, "BEYOND", math.inf)
    intensity, mask, canvas, probe, positions = problem
    short = (intensity.float(), mask, canvas.to(torch.complex64), probe.to(torch.complex64), positions)
    fit = fit_of(*short, loss=loss)
    fit.step(list(range(M)), LOOK)
    _, (by_object, _, by_positions) = autograd(problem, mask, loss, list(range(M)))
    scale = 2 / (M * int(mask.sum()))
    error = (scale * torch.view_as_complex(fit.movers["object"].gradient) - by_object).abs().square().sum().sqrt()
    assert float(error / by_object.abs().square().sum().sqrt()) < 6e-2
    found = scale * fit.movers["positions"].gradient.double()
    torch.testing.assert_close(found, by_positions, rtol=0.1, atol=0.1 * float(by_positions.abs().max()))


@pytest.mark.parametrize("loss", LOSSES)
def test_misfit_is_the_loss_and_moves_nothing(problem, loss):
    fit = fit_of(*problem, loss=loss)
    before = fit.state()
    intensity, mask, canvas, probe, positions = problem
    expected = LOSSES[loss](expected_photons(canvas, probe, positions), intensity, mask)
    assert fit.misfit(list(range(M))) == pytest.approx(float(expected), rel=1e-6)
    assert all(np.array_equal(values, before[name]) for name, values in fit.state().items())


def test_a_step_at_rest_moves_nothing(problem):
    fit = fit_of(*problem, loss="amplitude")
    fit.step([0, 3], Rates(0.0, 0.0, 0.0))
    assert torch.equal(fit.object, problem[2])
    torch.testing.assert_close(fit.probe * N, problem[3])
    assert torch.equal(fit.positions, problem[4])


def test_a_step_leaves_pixels_that_no_pattern_saw(problem):
    fit = fit_of(*problem, loss="amplitude")
    fit.step([4], Rates(0.1, 0.0, 0.0))
    row, column = (round(float(at)) - N // 2 for at in problem[4][4])
    moved = fit.object != problem[2]
    moved[row : row + N, column : column + N] = False
    assert not bool(moved.any())


def test_a_step_moves_the_positions_of_its_own_patterns_only(problem):
    fit = fit_of(*problem, loss="amplitude")
    fit.step([4, 1], Rates(0.0, 0.0, 0.05))
    moved = (fit.positions != problem[4]).any(1).nonzero().ravel().tolist()
    assert moved == [1, 4]


def test_no_position_moves_beyond_the_farthest(problem):
    fit = fit_of(*problem, loss="amplitude", farthest=0.2)
    for _ in range(10):
        fit.step(list(range(M)), Rates(0.0, 0.0, 0.3))
    assert float((fit.positions - problem[4]).abs().max()) <= 0.2 + 1e-9


def test_a_fit_with_moved_positions_agrees_with_one_cut_anew(problem):
    fit = fit_of(*problem, loss="amplitude")
    for _ in range(5):
        fit.step(list(range(M)), Rates(0.01, 0.01, 0.02))
    moved = fit.misfit(list(range(M)))
    fit.recut()
    assert fit.misfit(list(range(M))) == pytest.approx(moved, rel=2e-3)  # a probe rough up to Nyquist has no one shift


def test_coverage_is_the_light_of_every_pattern(problem):
    coverage = fit_of(*problem, loss="amplitude").coverage()
    expected = np.zeros(SHAPE)
    for row, column in problem[4].round().int().tolist():
        expected[row - 8 : row + 8, column - 8 : column + 8] += (problem[3].abs() ** 2).sum(0).numpy()
    np.testing.assert_allclose(coverage.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("rates", [Rates(0.05, 0.0, 0.0), Rates(0.05, 0.02, 0.0), Rates(0.05, 0.02, 0.02)], ids=str)
def test_a_loaded_state_goes_on_bit_for_bit(problem, rates):
    unbroken = fit_of(*problem, loss="amplitude")
    for _ in range(4):
        unbroken.step([0, 3, 5], rates)
    stored = {name: values.copy() for name, values in unbroken.state().items()}
    second = fit_of(*problem, loss="amplitude")
    second.load_state(stored)
    for fit in (unbroken, second):
        for chosen in ([1, 2, 3], [8, 4], [0, 6]):
            fit.step(chosen, rates)
    end, other = unbroken.state(), second.state()
    assert all(end[name].tobytes() == other[name].tobytes() for name in end), [n for n in end if end[n].tobytes() != other[n].tobytes()]


def test_a_state_of_another_size_is_one_sentence(problem):
    intensity, mask, canvas, probe, positions = problem
    stored = fit_of(*problem, loss="amplitude").state()
    wider = fit_of(intensity, mask, torch.nn.functional.pad(canvas, (0, 3)), probe, positions, loss="amplitude")
    with pytest.raises(InputError, match="differs in object"):
        wider.load_state(stored)
    stored.pop("probe_steps")
    with pytest.raises(InputError, match="differs in"):
        wider.load_state(stored)


def test_adam_steps_are_those_of_plain_numpy(rng):
    values, gradients = rng.standard_normal((5, 2)).astype(np.float32), rng.standard_normal((4, 5, 2)).astype(np.float32)
    mover = Adam(torch.from_numpy(values.copy()))
    expected, mean, square, (first, second) = values.astype(float), 0.0, 0.0, Adam.BETAS
    for t, gradient in enumerate(gradients, 1):
        mover.gradient.copy_(torch.from_numpy(gradient))
        mover.move(0.1)
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * gradient.astype(float) ** 2
        expected = expected - 0.1 * (mean / (1 - first**t)) / (np.sqrt(square / (1 - second**t)) + 1e-12)
    np.testing.assert_allclose(mover.values.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_the_photons_that_a_fit_expects_are_those_of_the_plain_forward_model(problem):
    _, mask, canvas, probe, positions = problem
    own = expected_photons(canvas, probe, positions)
    fit = fit_of(own, mask, canvas, probe, positions, loss="amplitude")
    np.testing.assert_allclose(fit.expected(np.array([4, 1])), own[[4, 1]].numpy(), rtol=1e-4)
