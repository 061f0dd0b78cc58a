"""Iterative fits of small simulated scans: what they find, and what they begin with."""

from __future__ import annotations

import numpy as np
import pytest

from ptycho_nb.config import RefinementConfig, SimulationConfig
from ptycho_nb.history import State
from ptycho_nb.metrics import align
from ptycho_nb.refinement import refine
from ptycho_nb.refinement.course import rates
from ptycho_nb.refinement.start import by_power, held_out, start_probe
from ptycho_nb.simulate import simulate_scan

SMALL = SimulationConfig(object="dead_leaves", N=32, height=72, width=88, overlap=0.65, probe_diameter=12, defocus=0.5)
QUICK = RefinementConfig(epochs=3, batch_size=16, probe_start=0)
EVERYTHING = QUICK.replace(refine_positions=True, probe_modes=2)


@pytest.fixture(scope="module")
def scan():
    """Some 120 patterns of 32 x 32 on an oblong object, probe and positions known."""
    return simulate_scan(SMALL)


@pytest.fixture(scope="module")
def reference(scan):
    """A short fit of object, two modes and positions, left to itself."""
    return refine(scan, config=EVERYTHING)


def phase_error(result, scan):
    """Mean absolute error of the phase inside the scanned region, ambiguities removed [rad]."""
    aligned = align(result.object, scan.truth, result.scanned)
    return float(np.abs(np.angle(aligned.object * aligned.truth.conj())).mean())


def position_error(positions, scan):
    """Root mean square distance from the true positions, a common shift removed [px]."""
    error = positions - scan.true_positions
    return float(np.sqrt(np.square(error - error.mean(0)).sum(1).mean()))


def share(probe):
    """Power of each mode over that of all."""
    power = np.square(np.abs(probe)).sum((-2, -1))
    return power / power.sum()


def test_a_known_probe_gives_the_object(scan):
    found = refine(scan, config=RefinementConfig(epochs=32, refine_probe=False))
    assert found.state is State.DONE
    assert phase_error(found, scan) < 0.03
    assert found.history["train_loss"][-1] < 0.02 * found.history["train_loss"][0]
    np.testing.assert_allclose(found.probe, scan.probe, rtol=1e-5)


def test_poisson_loss_finds_the_object_in_weak_light():
    scan = simulate_scan(SMALL.replace(nphotons=2e4))
    found = refine(scan, config=RefinementConfig(epochs=32, refine_probe=False, loss="poisson"))
    assert phase_error(found, scan) < 0.1


def test_a_wrong_probe_is_better_refined_than_trusted():
    scan = simulate_scan(SMALL.replace(probe_error=0.3))
    free, fixed = (refine(scan, config=RefinementConfig(epochs=32, refine_probe=free)) for free in (True, False))
    assert phase_error(free, scan) < 0.05 < 0.15 < phase_error(fixed, scan)


def test_wrong_positions_are_found_again():
    scan = simulate_scan(SMALL.replace(position_error=0.5))
    found = refine(scan, config=RefinementConfig(epochs=64, refine_probe=False, refine_positions=True))
    assert position_error(found.positions, scan) < 0.5 * position_error(scan.positions, scan)
    left = refine(scan, config=RefinementConfig(epochs=64, refine_probe=False))
    assert phase_error(found, scan) < 0.5 * phase_error(left, scan)


def test_two_modes_explain_a_scan_of_two_modes():
    scan = simulate_scan(SMALL.replace(probe_modes=2, mode_decay=0.3))
    first = scan.probe[:1] * np.sqrt(1 / share(scan.probe)[0])
    guess = scan.replace(probe=first.astype(np.complex64))
    one, two = (refine(guess, config=RefinementConfig(epochs=64, batch_size=8, probe_modes=modes)) for modes in (1, 2))
    assert two.r_factor(scan) < 0.75 * one.r_factor(scan)
    np.testing.assert_allclose(share(two.probe), share(scan.true_probe), atol=0.05)
    assert abs(np.vdot(two.probe[0], two.probe[1])) < 1e-3 * np.vdot(two.probe[0], two.probe[0]).real


def test_a_start_saves_epochs(scan):
    begun = refine(scan, config=RefinementConfig(epochs=24))
    again, flat = (refine(scan, start=start, config=RefinementConfig(epochs=2)) for start in (begun, None))
    assert again.history["train_loss"][0] < 0.5 * flat.history["train_loss"][0]


def test_a_start_on_another_canvas_keeps_its_place(scan, reference):
    narrow = scan.replace(truth=None)
    assert narrow.canvas != scan.canvas
    still = QUICK.replace(epochs=1, start_learning_rate=1e-5, probe_learning_rate=1e-6)
    moved, stayed = (refine(s, start=reference, config=still) for s in (narrow, scan))
    assert moved.origin == narrow.canvas.origin
    assert moved.object.shape == narrow.canvas.shape
    assert moved.history["train_loss"][0] == pytest.approx(stayed.history["train_loss"][0], rel=1e-2)
    back = refine(scan, start=moved, config=still)
    assert back.origin == (0, 0)
    for other in (moved, back):
        np.testing.assert_allclose(other.object[other.scanned], stayed.object[stayed.scanned], atol=1e-3)


def test_a_start_with_corrected_positions_keeps_them(scan):
    """Also where they lie so far out that the patches hang over the scan's own canvas."""
    narrow = scan.replace(truth=None)
    begun = refine(narrow, config=QUICK.replace(epochs=1))
    begun = begun.replace(positions=begun.positions + np.where(begun.positions > 40, 6.3, -6.3))
    kept = refine(narrow, start=begun, config=QUICK.replace(epochs=1))
    np.testing.assert_array_equal(kept.positions, begun.positions)
    assert kept.object.shape == narrow.canvas.shape
    moved = refine(narrow, start=begun, config=QUICK.replace(refine_positions=True, max_shift=1))
    assert 0 < np.abs(moved.positions - begun.positions).max() <= 1 + 1e-4


def test_method_tells_what_the_start_was(scan, reference):
    network = reference.replace(method="Network", optimiser={})
    assert refine(scan, start=network, config=QUICK).method == "Network, then iterative"
    assert refine(scan, start=reference, config=QUICK).method == reference.method == "Iterative"


def test_masked_pixels_do_not_spoil_the_object():
    scan = simulate_scan(SMALL.replace(beamstop=2))
    found = refine(scan, config=RefinementConfig(epochs=32, refine_probe=False))
    assert phase_error(found, scan) < 0.1


# What a fit begins with.


@pytest.mark.parametrize("modes", [1, 2, 3, 5])
def test_start_probe_keeps_the_photons(scan, modes):
    probe = start_probe(scan.probe, modes)
    assert probe.shape == (modes, 32, 32)
    assert np.square(np.abs(probe)).sum() == pytest.approx(np.square(np.abs(scan.probe)).sum(), rel=1e-5)
    gram = np.einsum("pij,qij->pq", probe.conj(), probe)
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-4 * abs(gram[0, 0])
    assert bool((np.diag(gram).real > 0).all())


def test_start_probe_of_as_many_modes_is_the_probe(scan):
    np.testing.assert_allclose(start_probe(scan.probe, None), scan.probe, rtol=1e-6)


def test_by_power_keeps_the_illumination_and_sorts_it(rng):
    probe = (rng.standard_normal((3, 8, 8)) + 1j * rng.standard_normal((3, 8, 8))).astype(np.complex64)
    probe *= np.array([0.3, 2.0, 1.0], np.float32)[:, None, None]
    sorted_ = by_power(probe)
    flat, ordered = probe.reshape(3, -1), sorted_.reshape(3, -1)
    np.testing.assert_allclose(ordered.T @ ordered.conj(), flat.T @ flat.conj(), atol=1e-4)
    assert list(share(sorted_)) == sorted(share(sorted_), reverse=True)
    gram = ordered.conj() @ ordered.T
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-3


def test_held_out_patterns_are_drawn_by_the_seed_among_the_well_covered(scan):
    judged = held_out(scan, 0.1, 3)
    assert len(judged) == len(set(judged.tolist())) == round(0.1 * scan.M)
    np.testing.assert_array_equal(judged, held_out(scan, 0.1, 3))
    assert judged.tolist() != held_out(scan, 0.1, 4).tolist()
    assert held_out(scan, 0.0, 3).size == 0
    distance = np.sort(np.linalg.norm(scan.positions[:, None] - scan.positions, axis=-1))[:, 8]
    assert distance[judged].max() <= np.median(distance)


def test_step_sizes_rise_and_fall_to_zero():
    config = RefinementConfig(warmup=0.1, probe_start=0.3, refine_positions=True)
    course = [rates(config, at, 0.2) for at in np.linspace(0, 1, 101)]
    size = [r.object for r in course]
    assert size[0] == 0
    assert np.argmax(size) == 10
    assert max(size) == pytest.approx(0.2)
    assert size[-1] == pytest.approx(0, abs=1e-12)
    assert {bool(r.probe) for r in course[:30]} == {bool(r.positions) for r in course[:30]} == {False}
    assert course[31].probe > 0
    still = rates(config.replace(refine_probe=False, refine_positions=False), 0.5, 0.2)
    assert (still.probe, still.positions) == (0, 0)
