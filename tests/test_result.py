"""What a run leaves: what it predicts, how it is measured, saved and loaded."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ptycho_nb.config import RefinementConfig, SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.readers import load_scan, save_arrays, save_scan
from ptycho_nb.refinement import refine
from ptycho_nb.result import FORM, Reconstruction
from ptycho_nb.simulate import simulate_scan

SMALL = SimulationConfig(
    object="dead_leaves",
    N=32,
    height=64,
    width=72,
    overlap=0.4,
    probe_diameter=12,
    defocus=0.5,
    probe_modes=2,
    position_error=0.3,
    beamstop=2,
)


@pytest.fixture(scope="module")
def scan():
    """Patterns of 32 x 32 on an oblong object, two modes, a beamstop."""
    return simulate_scan(SMALL)


@pytest.fixture(scope="module")
def fitted(scan):
    """A short fit of everything."""
    return refine(scan, config=RefinementConfig(epochs=3, refine_positions=True, probe_start=0))


@pytest.fixture
def exact(scan):
    """The truth as a reconstruction."""
    return reconstruction(scan)


def reconstruction(scan, **changes):
    """The scan's truth as a reconstruction, with some attributes changed."""
    given = {
        "object": scan.truth,
        "coverage": np.ones(scan.truth.shape, np.float32),
        "probe": scan.true_probe,
        "positions": scan.true_positions,
        "origin": (0, 0),
        "pixel_size": scan.pixel_size,
        "method": "Iterative",
        "state": State.DONE,
    }
    return Reconstruction(**{**given, **changes})


def numpy_photons(canvas, probe, positions):
    """Photons by slices, phase ramps and numpy's FFT."""
    N = probe.shape[-1]
    k = np.fft.fftfreq(N)
    patterns = []
    for row, col in positions:
        top, left = round(row), round(col)
        patch = canvas[top - N // 2 : top + N // 2, left - N // 2 : left + N // 2]
        ramps = [np.exp(-2j * np.pi * k * s) for s in (row - top, col - left)]
        moved = np.fft.ifft2(np.fft.fft2(probe) * ramps[0][:, None] * ramps[1])
        patterns.append((np.abs(np.fft.fftshift(np.fft.fft2(patch * moved), axes=(-2, -1)) / N) ** 2).sum(0))
    return np.stack(patterns)


def assert_same(one, other):
    """Every attribute bit for bit."""
    for name in ("object", "coverage", "probe", "positions"):
        a, b = one.__dict__[name], other.__dict__[name]
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        assert a.tobytes() == b.tobytes(), name
    for name in ("origin", "pixel_size", "method", "state", "seconds", "settings", "name"):
        assert one.__dict__[name] == other.__dict__[name], name
    assert (one.history is None) == (other.history is None)
    assert one.history is None or one.history.to_dict() == other.history.to_dict()
    assert set(one.optimiser) == set(other.optimiser)
    for name, values in one.optimiser.items():
        assert (values.dtype, values.shape) == (other.optimiser[name].dtype, other.optimiser[name].shape), name
        assert values.tobytes() == other.optimiser[name].tobytes(), name


def test_predicted_photons_are_those_of_plain_numpy(scan, exact):
    chosen = [3, 0, scan.M - 1]
    expected = numpy_photons(scan.truth.astype(complex), scan.true_probe.astype(complex), scan.true_positions[chosen])
    found = exact.predicted(chosen)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max(), rtol=0)


def test_r_factor_is_that_of_plain_numpy(scan, exact):
    expected = np.sqrt(numpy_photons(scan.truth.astype(complex), scan.true_probe.astype(complex), scan.true_positions))[:, scan.mask]
    measured = np.sqrt(scan.intensity.astype(float))[:, scan.mask]
    assert exact.r_factor(scan) == pytest.approx(np.abs(expected - measured).sum() / measured.sum(), rel=1e-4)


def test_r_factor_leaves_masked_pixels_out(scan, exact):
    spoiled = scan.replace(intensity=np.where(scan.mask, scan.intensity, 1e6).astype(np.float32))
    assert exact.r_factor(spoiled) == exact.r_factor(scan)


def test_r_factor_of_the_truth_is_below_that_of_a_flat_object(scan, exact):
    assert exact.r_factor(scan) < 0.3 * reconstruction(scan, object=np.ones_like(scan.truth)).r_factor(scan)


def test_misfit_of_parts_adds_up_to_that_of_all(scan, exact):
    odd, even = np.arange(scan.M)[1::2], np.arange(scan.M)[::2]
    parts = len(odd) * exact.misfit(scan, "poisson", odd) + len(even) * exact.misfit(scan, "poisson", even)
    assert exact.misfit(scan, "poisson") == pytest.approx(parts / scan.M, rel=1e-5)


def test_an_unknown_misfit_names_the_nearest(scan, exact):
    with pytest.raises(InputError, match=r"'gauss'; allowed: .*poisson"):
        exact.misfit(scan, "gauss")


def test_a_moved_origin_changes_no_photons(scan, exact):
    cut = exact.replace(object=scan.truth[2:-1, 1:-3].copy(), coverage=exact.coverage[2:-1, 1:-3], origin=(2, 1))
    np.testing.assert_allclose(cut.predicted([0, 5]), exact.predicted([0, 5]), rtol=1e-4, atol=1e-2)


def test_a_known_object_smaller_than_the_patches_reach_changes_no_fit(scan):
    low = np.floor(scan.positions.min(0)).astype(int)
    high = np.ceil(scan.positions.max(0)).astype(int) + 1
    tight = scan.replace(truth=scan.truth[low[0] : high[0], low[1] : high[1]], positions=scan.positions - low, true_positions=None)
    config = RefinementConfig(epochs=4, mend_slow_phase=False)  # the splines of the slow phase begin at the corner of the canvas
    found, wide = refine(tight, config=config), refine(scan, config=config)
    assert found.r_factor(tight) == pytest.approx(wide.r_factor(scan), rel=1e-4)
    np.testing.assert_allclose(found.object[found.scanned], wide.object[wide.scanned], atol=1e-3)
    np.testing.assert_array_equal(tight.truth_on(found.canvas)[found.scanned], scan.truth[wide.scanned])


def test_outside_the_object_is_clear(scan):
    """A patch that hangs over the object's edge sees transmission 1 there."""
    flat = reconstruction(scan, object=np.ones((20, 30), np.complex64), positions=np.array([[0.0, 29.0]]))
    assert flat.predicted([0]).sum() == pytest.approx((np.abs(scan.true_probe) ** 2).sum(), rel=1e-4)


def test_scanned_is_the_bounding_box_of_the_probe_centres(scan):
    positions = np.array([[20.2, 33.0], [31.7, 24.9]])
    assert reconstruction(scan, positions=positions).scanned == (slice(21, 32), slice(25, 34))
    assert reconstruction(scan, positions=positions, origin=(4, -6)).scanned == (slice(17, 28), slice(31, 40))


def test_scanned_holds_a_pixel_where_all_positions_are_in_one_line(scan):
    rows, columns = reconstruction(scan, positions=np.array([[20.4, 30.0], [20.4, 40.0]])).scanned
    assert rows.stop - rows.start == 1
    assert columns == slice(30, 41)


def test_covered_is_where_the_probe_left_light(scan):
    coverage = np.array([[0, 1, 1e4], [5, 11, 0]], np.float32)
    assert reconstruction(scan, coverage=coverage).covered.tolist() == [[False, False, True], [False, True, False]]


def test_twin_explains_the_photons_as_well(scan, fitted):
    twin = fitted.twin()
    # The window has one row and column more above its middle than below; the faint rim of the probe there tells.
    assert twin.r_factor(scan) == pytest.approx(fitted.r_factor(scan), rel=3e-3)
    assert np.corrcoef(np.angle(twin.object).ravel(), np.angle(fitted.object).ravel())[0, 1] < 0.9


def test_twin_of_the_twin_is_the_first(fitted):
    back = fitted.twin().twin()
    assert back.origin == fitted.origin
    for name in ("object", "coverage", "probe", "positions"):
        np.testing.assert_array_equal(back.__dict__[name], fitted.__dict__[name])


def test_twin_keeps_each_position_over_its_own_part_of_the_object(fitted):
    """``object[r, c]`` lies at ``origin + (r, c)``; negated positions see the object turned round."""
    twin = fitted.twin()
    row, column = 30, 41
    there = np.add(fitted.origin, (row, column))
    turned = -there - np.array(twin.origin)
    assert twin.object[tuple(turned)] == fitted.object[row, column].conj()


def test_a_scan_of_another_size_is_one_sentence(scan, exact):
    with pytest.raises(InputError, match=r"^The reconstruction is of \d+ patterns of width 32, the scan has 4 of 32: give the scan"):
        exact.r_factor(scan.select([0, 1, 2, 3]))


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_loaded_reconstruction_is_the_saved_one(tmp_path, fitted, suffix):
    path = tmp_path / f"result{suffix}"
    fitted.save(path)
    assert_same(Reconstruction.load(path), fitted)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_reconstruction_with_nothing_but_the_least_is_saved_too(tmp_path, exact, suffix):
    odd = exact.replace(pixel_size=None, origin=(-5, 12), name="müon <b>$x$</b> \u2028", state=State.STOPPED)
    odd.save(tmp_path / f"result{suffix}")
    assert_same(Reconstruction.load(tmp_path / f"result{suffix}"), odd)


def test_arrays_in_any_memory_order_are_saved(tmp_path, exact):
    exact.replace(object=np.asfortranarray(exact.object), coverage=exact.coverage[::-1]).save(tmp_path / "result.npz")
    loaded = Reconstruction.load(tmp_path / "result.npz")
    np.testing.assert_array_equal(loaded.object, exact.object)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_fit_goes_on_from_a_file_as_from_memory(tmp_path, scan, fitted, suffix):
    config = RefinementConfig(epochs=2, refine_positions=True, probe_start=0)
    fitted.save(tmp_path / f"result{suffix}")
    from_memory = refine(scan, config=config, resume_from=fitted)
    from_file = refine(scan, config=config, resume_from=Reconstruction.load(tmp_path / f"result{suffix}"))
    assert from_file.object.tobytes() == from_memory.object.tobytes()
    assert from_file.probe.tobytes() == from_memory.probe.tobytes()
    assert from_file.history["train_loss"] == from_memory.history["train_loss"]


def test_a_reconstruction_replaces_an_older_one(tmp_path, exact, fitted):
    for one in (exact, fitted):
        one.save(tmp_path / "result.npz")
    assert_same(Reconstruction.load(tmp_path / "result.npz"), fitted)


def test_a_failed_save_leaves_the_older_one(tmp_path, exact):
    path = tmp_path / "result.npz"
    exact.save(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="metadata"):
        exact.replace(settings={"not": {"json": object()}}).save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_an_input_is_not_overwritten(tmp_path, scan, exact):
    path = tmp_path / "scan.npz"
    save_scan(path, scan)
    with pytest.raises(InputError, match="never overwritten"):
        exact.save(path, inputs=[path])
    assert load_scan(path).M == scan.M


def bad_files(exact):
    """name: (form, arrays, plain) of files that are no reconstruction, with a word of the sentence."""
    arrays = {"object": exact.object, "coverage": exact.coverage, "probe": exact.probe, "positions": exact.positions}
    plain = {"origin": [0, 0], "pixel_size": None, "method": "Iterative", "state": "done", "history": None}
    plain |= {"seconds": 1.0, "settings": {}, "name": "s"}
    nan = exact.positions.copy()
    nan[3, 1] = np.nan
    return {
        "a scan": ("ptycho_nb-scan", arrays, plain, "scans are read by load_scan"),
        "a stranger": ("other", arrays, plain, "no saved reconstruction"),
        "no object": (FORM, {k: v for k, v in arrays.items() if k != "object"}, plain, "'object' is missing"),
        "real object": (FORM, {**arrays, "object": np.ones((20, 30))}, plain, "'object' is float64"),
        "flat probe": (FORM, {**arrays, "probe": exact.probe[0]}, plain, "'probe' is complex64"),
        "no modes": (FORM, {**arrays, "probe": exact.probe[:0]}, plain, "'probe' is complex64"),
        "other coverage": (FORM, {**arrays, "coverage": exact.coverage[1:]}, plain, "do not fit"),
        "three coordinates": (FORM, {**arrays, "positions": np.ones((9, 3))}, plain, "do not fit"),
        "NaN position": (FORM, {**arrays, "positions": nan}, plain, "NaN"),
        "no state": (FORM, arrays, {k: v for k, v in plain.items() if k != "state"}, "cannot be read"),
        "unknown state": (FORM, arrays, {**plain, "state": "asleep"}, "cannot be read"),
        "broken history": (FORM, arrays, {**plain, "history": {"metrics": 3}}, "cannot be read"),
        "broken origin": (FORM, arrays, {**plain, "origin": [1]}, "cannot be read"),
        "settings a list": (FORM, arrays, {**plain, "settings": [1]}, "cannot be read"),
    }


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_file_that_is_no_reconstruction_is_one_sentence(tmp_path, exact, suffix):
    for name, (form, arrays, plain, words) in bad_files(exact).items():
        path = tmp_path / f"{name}{suffix}"
        save_arrays(path, form, arrays=arrays, plain=plain)
        with pytest.raises(InputError, match=words) as caught:
            Reconstruction.load(path)
        said = str(caught.value)
        assert said.startswith(path.name), name
        assert len(said) <= 170, name
        assert "\n" not in said, name


def test_a_newer_version_asks_for_an_update(tmp_path, exact):
    path = tmp_path / "result.npz"
    exact.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["meta"] = np.array(json.dumps({**json.loads(str(arrays["meta"])), "version": 2}))
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"version 2.*update ptycho_nb"):
        Reconstruction.load(path)


def test_a_cut_file_is_one_sentence(tmp_path, exact):
    for suffix in (".npz", ".h5"):
        path = tmp_path / f"result{suffix}"
        exact.save(path)
        whole = path.read_bytes()
        for length in (0, 10, 600, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(InputError) as caught:
                Reconstruction.load(path)
            assert "\n" not in str(caught.value)


def test_no_file_and_no_suffix_are_one_sentence(tmp_path, exact):
    with pytest.raises(InputError, match="no file"):
        Reconstruction.load(tmp_path / "none.npz")
    with pytest.raises(InputError, match="suffix"):
        exact.save(tmp_path / "result.tiff")
    assert list(tmp_path.iterdir()) == []


def test_a_scan_is_not_read_from_a_reconstruction(tmp_path, exact):
    exact.save(tmp_path / "result.npz")
    with pytest.raises(InputError, match="not a scan"):
        load_scan(tmp_path / "result.npz")


def test_a_result_matches_the_scan_it_was_made_from_and_none_elsewhere(scan, exact):
    assert exact.matches(scan)
    assert exact.replace(positions=exact.positions + 3).matches(scan)
    assert not exact.replace(positions=exact.positions + 40).matches(scan)
    assert not exact.matches(scan.select([0, 1, 2]))
