"""Each check is silent on a good scan and speaks, with its number, on the bad one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptycho_nb.checks import RECONSTRUCTION_CHECKS, SCAN_CHECKS, Finding, Severity, checks, good_pixels, noise_r_factor
from ptycho_nb.config import ModelConfig, SimulationConfig, TrainingConfig
from ptycho_nb.history import State
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import OBJECTS, PROBES, simulate_scan
from ptycho_nb.training import train

SMALL = SimulationConfig(height=128, width=152, nphotons=1e5)


def words(subject, scan=None):
    return [f.word for f in checks(subject, scan)]


@pytest.fixture(scope="module")
def good():
    return simulate_scan(SMALL)


@pytest.fixture(scope="module")
def fitted(good):
    """The truth itself: no fit is better."""
    reach = (np.abs(good.probe[0]) ** 2).sum()
    return Reconstruction(
        object=good.truth,
        coverage=np.full(good.truth.shape, reach, dtype=np.float32),
        probe=good.probe,
        positions=good.positions,
        origin=(0, 0),
        pixel_size=None,
        method="Iterative",
        state=State.DONE,
        settings={"refinement": {"max_shift": 3.0, "refine_positions": True}},
        optimiser={"measured": good.positions},
    )


PATHS = ("jittered", "spiral", "random")


@pytest.mark.parametrize("seed", range(len(OBJECTS) * len(PROBES)))
def test_good_scans_pass_in_silence(seed):
    object_, probe, path = list(OBJECTS)[seed % len(OBJECTS)], list(PROBES)[seed // len(OBJECTS)], PATHS[seed % len(PATHS)]
    assert checks(simulate_scan(SMALL.replace(object=object_, probe=probe, scan=path, seed=seed))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"nphotons": 1e4, "overlap": 0.6},
        {"probe_modes": 3, "beamstop": 4.0},
        {"position_error": 1.0, "probe_error": 0.2},
        {"N": 32, "probe_diameter": 12},
        {"amplitude_min": 0.0, "phase_range": 5.0, "object": "siemens_star"},
        {"coma": 0.5, "astigmatism": 0.3},
    ],
)
def test_hard_but_sound_scans_pass_in_silence(changes):
    assert checks(simulate_scan(SMALL.replace(**changes))) == []


def recounted(scan, intensity):
    return scan.replace(intensity=np.ascontiguousarray(intensity, dtype=np.float32))


def at(scan, pixels, value):
    intensity = scan.intensity.copy()
    intensity[(slice(None), *pixels)] = value
    return recounted(scan, intensity)


def without(scan, frames):
    intensity = scan.intensity.copy()
    intensity[frames] = 0
    return recounted(scan, intensity)


def moved(scan, positions):
    return scan.replace(positions=positions, truth=None, true_positions=None)


def holed(scan):
    middle = scan.positions.mean(0)
    return scan.select(np.hypot(*(scan.positions - middle).T) > 22)


def twice(scan):
    positions = scan.positions.copy()
    positions[7] = positions[3]
    return moved(scan, positions)


def turned_raster(scan):
    raster = simulate_scan(SMALL.replace(scan="raster"))
    return moved(raster, raster.positions @ [[0.8, 0.6], [-0.6, 0.8]] + 200)


BAD = {
    "units": [
        ("micrometres as pixels", lambda s: moved(s, s.positions * 0.03)),
        ("nanometres as pixels", lambda s: moved(s, s.positions * 10)),
    ],
    "few": [("one pattern", lambda s: s.select([5])), ("three patterns", lambda s: s.select([5, 6, 7]))],
    "overlap": [("far steps", lambda s: simulate_scan(SMALL.replace(overlap=0.3, height=200, width=220)))],
    "line": [("rows lost", lambda s: moved(s, s.positions * [0, 1] + [64, 0]))],
    "duplicates": [("one place twice", twice)],
    "grid": [
        ("raster", lambda s: simulate_scan(SMALL.replace(scan="raster"))),
        ("turned raster", turned_raster),
    ],
    "holes": [("middle lost", holed)],
    "corner": [("not shifted", lambda s: recounted(s, np.fft.ifftshift(s.intensity, axes=(-2, -1))))],
    "centre": [("shifted", lambda s: recounted(s, np.roll(s.intensity, (3, -2), axis=(-2, -1))))],
    "window": [("wide probe", lambda s: s.replace(probe=s.probe + 0.2 * np.abs(s.probe).max()))],
    "hot": [
        ("hot pixel in the light", lambda s: at(s, (30, 24), s.intensity.max() * 20)),
        ("hot pixel in the dark", lambda s: at(s, (2, 60), 40)),
        ("hot pair", lambda s: at(s, ([5, 5], [50, 51]), 60)),
    ],
    "dead": [
        ("dead pixel", lambda s: at(s, (32, 20), 0)),
        ("unmasked beamstop", lambda s: at(s, (slice(18, 24), slice(28, 34)), 0)),
    ],
    "saturated": [("clipped", lambda s: recounted(s, np.minimum(s.intensity, np.percentile(s.intensity, 99.5).round())))],
    "dropped": [
        ("empty frames", lambda s: without(s, [4, 9, 10])),
        ("empty row", lambda s: without(s, slice(30, 38))),
    ],
    "dose": [("dark", lambda s: simulate_scan(SMALL.replace(nphotons=100)))],
    "energy": [
        ("amplitude as counts", lambda s: recounted(s, np.sqrt(s.intensity))),
        ("rescaled", lambda s: recounted(s, s.intensity * 10)),
    ],
}


@pytest.mark.parametrize(("word", "make"), [pytest.param(w, make, id=f"{w}-{name}") for w, cases in BAD.items() for name, make in cases])
def test_a_bad_scan_is_told_in_one_line_with_its_number(good, word, make):
    bad = make(good)
    found = {f.word: f for f in checks(bad)}
    assert word in found
    line = str(found[word])
    assert line.startswith(f"{word}: ")
    assert "\n" not in line
    assert len(line) <= 240
    assert any(c.isdigit() for c in found[word].cause)


def test_every_check_has_a_bad_scan():
    assert set(BAD) == set(SCAN_CHECKS)


def test_the_number_is_the_one_put_in(good):
    lost = next(f for f in checks(without(good, [4, 9, 10])) if f.word == "dropped")
    assert f"3 of {good.M} patterns, first 4" in lost.cause
    hot = next(f for f in checks(at(good, (2, 60), 40)) if f.word == "hot")
    assert "1 detector pixel, first (2, 60)" in hot.cause


def test_masked_pixels_are_not_complained_of(good):
    bad = at(at(good, (2, 60), 4000), (32, 20), 0)
    mask = good.mask.copy()
    mask[2, 60] = mask[32, 20] = False
    assert {"hot", "dead"} <= set(words(bad))
    assert not {"hot", "dead"} & set(words(bad.replace(mask=mask)))
    assert (good_pixels(bad) == mask).all()
    assert good_pixels(bad.replace(mask=mask)).sum() == mask.sum()


def test_the_gravest_comes_first(good):
    found = checks(recounted(twice(good), np.fft.ifftshift(good.intensity, axes=(-2, -1))))
    ranks = [list(Severity).index(f.severity) for f in found]
    assert len(ranks) > 1
    assert ranks == sorted(ranks, reverse=True)


def test_a_scan_of_one_pattern_can_be_checked(good):
    one = Scan(good.intensity[:1], good.positions[:1], good.probe)
    assert all(isinstance(f, Finding) for f in checks(one))


def test_a_scan_without_any_overlap_is_serious(good):
    for apart in (good.select([5]), good.select([5, 6, 7]), moved(good, good.positions * 3)):
        assert checks(apart)[0].severity is Severity.SERIOUS


def test_noise_r_factor_is_the_one_of_many_photons():
    """sqrt of Poisson counts has variance 1/4, so E|difference| = sqrt(1 / (2 pi))."""
    photons = np.full((50, 16, 16), 400.0)
    assert noise_r_factor(photons) == pytest.approx(np.sqrt(1 / (2 * np.pi)) / 20, rel=0.02)


def test_the_truth_passes_in_silence(good, fitted):
    assert checks(fitted, good) == []
    assert checks(fitted) == []


def changed(fitted, **changes):
    values = {name: vars(fitted)[name] for name in fitted.__dataclass_fields__}
    return Reconstruction(**{**values, **changes})


def shuffled(fitted):
    rng = np.random.default_rng(0)
    noise = np.exp(2j * np.pi * rng.uniform(size=fitted.object.shape))
    return changed(fitted, object=noise.astype(np.complex64))


def pushed(fitted):
    return changed(fitted, positions=fitted.positions + np.where(np.arange(len(fitted.positions)) % 10 == 0, 3.0, 0.0)[:, None])


def test_positions_that_were_not_fitted_are_at_no_bound(good, fitted):
    held = changed(pushed(fitted), settings={"refinement": {"max_shift": 3.0, "refine_positions": False}})
    assert "bound" in words(pushed(fitted), good)
    assert "bound" not in words(held, good)


def test_corrections_are_counted_from_where_the_fit_began(good, fitted):
    began = pushed(fitted).positions
    assert "bound" not in words(changed(fitted, positions=began, optimiser={"measured": began}), good)
    assert "bound" not in words(pushed(fitted).twin(), good)  # its positions are mirrored


def uncovered(fitted):
    coverage = fitted.coverage.copy()
    coverage[60:75, 60:75] = 0
    return changed(fitted, coverage=coverage)


BAD_RESULTS = {
    "diverged": [
        ("by state", lambda r: changed(r, state=State.DIVERGED)),
        ("NaN", lambda r: changed(r, object=np.where(r.object == r.object[70, 70], np.nan, r.object).astype(np.complex64))),
    ],
    "misfit": [("flat", lambda r: changed(r, object=np.ones_like(r.object))), ("moved", lambda r: changed(r, positions=r.positions[::-1]))],
    "unlearned": [("flat", lambda r: changed(r, method="Network", object=np.ones_like(r.object)))],
    "window": [("wide probe", lambda r: changed(r, probe=r.probe + 0.2 * np.abs(r.probe).max()))],
    "holes": [("uncovered", uncovered)],
    "vortices": [("random phase", shuffled)],
    "bound": [("at the bound", pushed)],
}


@pytest.mark.parametrize(
    ("word", "make"), [pytest.param(w, make, id=f"{w}-{name}") for w, cases in BAD_RESULTS.items() for name, make in cases]
)
def test_a_bad_reconstruction_is_told(good, fitted, word, make):
    assert word in words(make(fitted), good)


def test_a_network_that_has_not_seen_such_patterns_is_told_of():
    base = SimulationConfig(N=32, height=120, width=136, probe_diameter=14, seed=3)
    seen, foreign = (simulate_scan(base.replace(probe=kind)) for kind in ("zone_plate", "gaussian"))
    model = train(seen, TrainingConfig(epochs=40), ModelConfig(hidden=128)).model
    assert "unlearned" not in words(reconstruct(model, seen), seen)
    assert "unlearned" in words(reconstruct(model, foreign), foreign)


def test_every_check_has_a_bad_reconstruction():
    assert set(BAD_RESULTS) == set(RECONSTRUCTION_CHECKS)


@pytest.mark.parametrize(("name", "expected"), [("synthetic64", []), ("siemens_star_real64", ["centre"])])
def test_recorded_scans_show_only_what_is_there(data_folder: Path, name, expected):
    """The star's annulus lies 2.5 columns off the middle."""
    with np.load(data_folder / f"{name}.npz") as arrays:
        positions = np.stack([arrays["ycoords"], arrays["xcoords"]], -1)
        scan = Scan(arrays["diff3d"].astype(np.float32) ** 2, positions, arrays["probeGuess"])
    assert words(scan) == expected


@pytest.mark.parametrize("photons", [0.0, np.nan, np.inf])
def test_noise_without_photons_or_numbers_is_no_number(photons):
    assert np.isnan(noise_r_factor(np.full((4, 4), photons)))


def test_noise_of_more_photons_than_can_be_drawn_is_none():
    assert noise_r_factor(np.full((4, 4), 1e30)) == 0
