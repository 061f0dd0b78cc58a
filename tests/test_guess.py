"""The guess of an object from one look: what the look shows, the network that reads it, a fit that begins there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_scan import tiny_scan

from ptycho_nb import InputError, RefinementConfig, SimulationConfig, initial_guess, quick_look, refine, resolution, simulate_scan
from ptycho_nb.guess.coarse import CELL, Coarse, integrated
from ptycho_nb.guess.glimpse import BRIGHTNESS, CHANNELS, LIGHT, PHASE, PHASE_SCALE, glimpse
from ptycho_nb.guess.guess import weights
from ptycho_nb.guess.network import GuessNet, shown
from ptycho_nb.metrics import compare_objects
from ptycho_nb.physics import expected_photons
from ptycho_nb.refinement import start
from ptycho_nb.refinement.start import held_out
from ptycho_nb.report import methods_text


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(SimulationConfig(height=140, width=168, object="dead_leaves", probe="zone_plate", nphotons=1e6, seed=4))


def photographed(scan, object):
    """The scan of another object, without noise."""
    tensors = (torch.from_numpy(np.ascontiguousarray(one)) for one in (object.astype(np.complex64), scan.true_probe, scan.true_positions))
    return scan.replace(intensity=expected_photons(*tensors).numpy(), truth=object.astype(np.complex64), probe=scan.true_probe)


def look(scan):
    return glimpse(scan, np.arange(scan.M))


def middle(values, rim=40):
    return values[rim:-rim, rim:-rim]


def bump(shape, width=20.0):
    """A smooth hill of height one, off the middle."""
    rows, columns = np.indices(shape)
    return np.exp(-((rows - 0.45 * shape[0]) ** 2 + (columns - 0.55 * shape[1]) ** 2) / (2 * width**2))


def cells_of(scan):
    return Coarse(scan.positions - scan.canvas.origin, scan.canvas.shape, scan.N)


def test_spread_is_the_adjoint_of_seen(scan):
    cells, rng = cells_of(scan), np.random.default_rng(0)
    kernel = cells.kernel(np.square(np.abs(scan.probe)).sum(0).astype(float))
    maps, values = rng.standard_normal((2, *cells.shape)), rng.standard_normal((2, scan.M))
    assert np.vdot(cells.seen(kernel, maps), values) == pytest.approx(np.vdot(maps, cells.spread(kernel, values)), rel=1e-9)


def test_what_is_seen_of_a_smooth_map_is_its_sum_under_the_kernel(scan):
    cells, shape, N = cells_of(scan), scan.canvas.shape, scan.N
    light = np.square(np.abs(scan.probe)).sum(0).astype(float)
    fine = np.pad(bump(shape), ((0, -shape[0] % CELL), (0, -shape[1] % CELL)), mode="edge")
    coarse = fine.reshape(cells.shape[0], CELL, cells.shape[1], CELL).mean((1, 3))
    seen = cells.seen(cells.kernel(light), coarse[None])[0]
    corners = np.rint(scan.positions - scan.canvas.origin).astype(int) - N // 2
    sums = np.array([(light * fine[r : r + N, c : c + N]).sum() for r, c in corners])
    assert np.abs(seen - sums).max() < 0.03 * sums.max()


def test_a_map_is_found_from_its_slopes_up_to_a_constant():
    wanted = bump((50, 66), 7.0)
    weight = np.ones((50, 66))
    found = integrated(np.stack(np.gradient(wanted)), weight)
    assert abs((weight * found).sum()) < 1e-6
    assert ((found - found.mean()) - (wanted - wanted.mean())).std() < 0.05 * wanted.std()


def test_an_empty_field_shows_amplitude_one_and_no_phase(scan):
    amplitude, phase = (
        middle(one[0].numpy()) for one in shown(torch.from_numpy(look(photographed(scan, np.ones_like(scan.truth))).maps)[None])
    )
    np.testing.assert_allclose(amplitude, 1, atol=0.04)
    np.testing.assert_allclose(phase, 0, atol=0.03)


def test_brightness_shows_a_smooth_amplitude_and_the_tilts_a_smooth_phase(scan):
    """Amplitude and phase are told apart though the probe is out of focus: its own tilt is taken off."""
    hill = bump(scan.truth.shape, 24.0)
    seen = photographed(scan, (0.6 + 0.4 * hill) * np.exp(0.8j * hill[::-1]))
    amplitude, phase = (one[0].numpy()[: hill.shape[0], : hill.shape[1]] for one in shown(torch.from_numpy(look(seen).maps)[None]))
    for found, wanted in ((amplitude, 0.6 + 0.4 * hill), (phase, 0.8 * hill[::-1])):
        assert middle(found - wanted).std() < 0.25 * middle(wanted).std()


def test_a_masked_pixel_is_not_looked_at(scan):
    mask = np.ones((scan.N, scan.N), bool)
    mask[10:20, 30:40] = False
    loud = np.where(mask, scan.intensity, 1e6).astype(np.float32)
    one, other = (look(scan.replace(intensity=i, mask=mask)) for i in (scan.intensity, loud))
    np.testing.assert_array_equal(one.maps, other.maps)
    np.testing.assert_array_equal(one.detail, other.detail)


def test_maps_are_finite_and_of_about_unit_size_even_with_dark_patterns(scan):
    dark = scan.intensity.copy()
    dark[3] = 0
    maps = look(scan.replace(intensity=dark)).maps
    assert maps.shape[0] == CHANNELS
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() <= 4
    assert maps[LIGHT].max() == 1


def test_a_network_that_has_learned_nothing_shows_the_glimpse(scan):
    seen = look(scan)
    h, w = seen.maps.shape[1:]
    detail = torch.zeros(1, 2, CELL * h, CELL * w)
    maps = torch.from_numpy(seen.maps)[None]
    with torch.no_grad():
        made = GuessNet()(detail, maps)
    for one, other in zip(made, shown(maps), strict=True):
        torch.testing.assert_close(one, other)
    scanned = maps[0, LIGHT] > 0.5
    assert float(made[0][0][scanned.repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)].mean()) == pytest.approx(
        float(maps[0, BRIGHTNESS][scanned].mean()), rel=0.05
    )
    assert float(made[1].std()) == pytest.approx(float(maps[0, PHASE].std()) / PHASE_SCALE, rel=0.1)


def test_a_guess_is_nearer_the_object_than_what_the_glimpse_shows_and_than_a_flat_one(scan):
    guess = initial_guess(scan)
    seen = look(scan)
    H, W = guess.object.shape
    amplitude, phase = (one[0, :H, :W].numpy() for one in shown(torch.from_numpy(seen.maps)[None]))
    truth = scan.truth_on(guess.canvas)
    errors = []
    for object in (guess.object, amplitude * np.exp(1j * phase), np.ones_like(truth)):
        made, wanted = object[guess.scanned], truth[guess.scanned]
        turn = np.exp(1j * np.angle(np.vdot(made, wanted)))
        errors.append(float(np.linalg.norm(made * turn - wanted) / np.linalg.norm(wanted)))
    assert errors[0] < 0.9 * errors[1]
    assert errors[0] < 0.8 * errors[2]
    assert guess.method == "Network"
    assert guess.matches(scan)


def test_a_guess_is_the_same_each_time_and_leaves_threads_and_random_numbers(scan):
    torch.manual_seed(3)
    weights.cache_clear()
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    one, other = initial_guess(scan), initial_guess(scan)
    np.testing.assert_array_equal(one.object, other.object)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_patterns_of_another_width_get_no_guess_and_a_sentence():
    with pytest.raises(InputError, match="64 x 64 pixels, these have 32"):
        initial_guess(tiny_scan(N=32))


def test_a_short_fit_that_begins_with_the_guess_is_nearer_than_one_from_flat(scan):
    fits = [refine(scan, config=RefinementConfig(epochs=3, batch_size=16, initial_object=name)) for name in ("flat", "network")]
    scores = [compare_objects(one.object, scan.truth, one.scanned) for one in fits]
    assert scores[1].amplitude.ssim > scores[0].amplitude.ssim + 0.04
    assert scores[1].phase.ssim > scores[0].phase.ssim
    assert [one.settings["refinement"]["initial_object"] for one in fits] == ["flat", "network"]
    told = "guess of a network"
    assert [told in methods_text(one) for one in fits] == [False, True]


def test_auto_begins_flat_at_a_width_that_the_network_does_not_know():
    small = tiny_scan(N=32)
    fit = refine(small, config=RefinementConfig(epochs=1, initial_object="auto"))
    assert fit.settings["refinement"]["initial_object"] == "flat"
    with pytest.raises(InputError, match="crop or bin"):
        refine(small, config=RefinementConfig(epochs=1, initial_object="network"))


def test_a_guess_that_explains_the_photons_no_better_is_left_for_a_flat_object(scan, monkeypatch):
    wrong = initial_guess(scan)
    monkeypatch.setattr(start, "guess_from", lambda *_: wrong.replace(object=np.conj(wrong.object[::-1, ::-1]).copy() * 3))
    for name, told in (("network", "The fit began flat"), ("auto", "")):
        fit = refine(scan, config=RefinementConfig(epochs=1, initial_object=name))
        assert fit.settings["refinement"]["initial_object"] == "flat"
        assert told in fit.history.message


def test_half_a_masked_beam_shows_no_phase(scan):
    mask = np.ones((scan.N, scan.N), bool)
    mask[:, : scan.N // 2 - 3] = False
    seen = look(photographed(scan, np.ones_like(scan.truth)).replace(mask=mask))
    phase = middle(shown(torch.from_numpy(seen.maps)[None])[1][0].numpy())
    assert np.ptp(phase) < 0.2


def test_a_hot_masked_pixel_does_not_decide_between_guess_and_flat(scan):
    mask = np.ones((scan.N, scan.N), bool)
    mask[5, 5] = False
    hot = scan.intensity.copy()
    hot[:, 5, 5] = 1e9
    config = RefinementConfig(initial_object="network")
    guesses = [start.guessed(scan.replace(intensity=i, mask=mask), config, np.arange(scan.M)) for i in (scan.intensity, hot)]
    np.testing.assert_array_equal(guesses[0].object, guesses[1].object)


def test_a_fit_says_truly_with_what_it_began(scan):
    network, flat = (RefinementConfig(epochs=1, initial_object=name) for name in ("network", "flat"))
    fit, bare = refine(scan, config=network), refine(scan, config=flat)
    for begun, config, word in ((fit, flat, "network"), (bare, network, "flat")):
        assert refine(scan, config=config, resume_from=begun).settings["refinement"]["initial_object"] == word
        assert refine(scan, begun, config).settings["refinement"]["initial_object"] == word
    given = refine(scan, initial_guess(scan), flat)
    assert "began as the guess of a network" in methods_text(given)
    judged = refine(scan, config=network.replace(held_pixels=0.1))
    assert judged.settings["refinement"]["initial_object"] == "flat"
    assert "pixels that are held out" in judged.history.message


def test_two_halves_share_no_guess(monkeypatch):
    seen = []
    monkeypatch.setattr(resolution, "refine", lambda half, config, **_: seen.append(config) or pytest.fail("enough"))
    with pytest.raises(pytest.fail.Exception):
        resolution.half_data(tiny_scan(9, 10), RefinementConfig(initial_object="network"))
    assert seen[0].initial_object == "flat"


def test_the_time_of_the_guess_is_no_part_of_the_course(scan):
    fit = refine(scan, config=RefinementConfig(epochs=2, batch_size=16, initial_object="network", time_limit=60))
    bare = refine(scan, config=RefinementConfig(epochs=2, batch_size=16, initial_object="network"))
    np.testing.assert_array_equal(fit.object, bare.object)
    assert fit.history.seconds[0] > 0.01


@pytest.mark.parametrize("seconds", [0.1, 0.4])
def test_the_shortest_look_at_a_scan_that_gets_a_guess_takes_a_step(scan, seconds):
    found = quick_look(scan, seconds)
    assert len(found.history.steps) > 0
    assert np.isfinite(found.object).all()


def test_held_out_patterns_do_not_shape_the_guess(scan):
    config = RefinementConfig(epochs=1, holdout=0.2, initial_object="network", refine_probe=False)
    one = refine(scan, config=config)
    changed = scan.intensity.copy()
    judged = held_out(scan, 0.2, config.seed)
    changed[judged] = 3 * np.roll(changed[judged], 5, axis=1)
    np.testing.assert_array_equal(refine(scan.replace(intensity=changed), config=config).object, one.object)
