"""Scans from files of every dialect: photons, (row, col), zero frequency at the centre, and what was assumed."""

from __future__ import annotations

import bz2
import io
import json

import numpy as np
import pytest
from tiny_scan import tiny_scan

from ptycho_nb.errors import ScanError
from ptycho_nb.metrics import probe_diameter
from ptycho_nb.readers import READERS, inspect_file, load_scan, save_scan
from ptycho_nb.readers.evidence import quantity
from ptycho_nb.readers.request import HC
from ptycho_nb.scan import ATTRIBUTES, Scan

M, N = 21, 16


def make_probe(photons=3000.0, n=N):
    y, x = np.mgrid[:n, :n] - n // 2
    probe = np.exp(-(x**2 + 2 * y**2) / (n / 4) ** 2 + 0.02j * (x**2 + y**2))
    return (probe * np.sqrt(photons / (np.abs(probe) ** 2).sum())).astype(np.complex64)


@pytest.fixture
def parts(rng):
    """Counts (M, N, N) of a weak oblong object, with positions, probe and truth."""
    positions = np.stack([np.repeat(np.arange(10, 24, 2.0), 3), np.tile([12.0, 20.0, 28.0], 7)], 1)
    truth = (0.9 + 0.1 * rng.random((34, 40))) * np.exp(0.3j * rng.random((34, 40)))
    patches = np.stack([truth[r - 8 : r + 8, c - 8 : c + 8] for r, c in positions.astype(int)])
    far = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(patches * make_probe(), axes=(1, 2)), norm="ortho"), axes=(1, 2))
    return {"counts": rng.poisson(np.abs(far) ** 2), "positions": positions, "probe": make_probe(), "truth": truth.astype(np.complex64)}


def told(scan, *words):
    return all(any(word in note for note in scan.notes) for word in words)


def sentence(caught, words):
    text = str(caught.value)
    assert words in text
    assert len(text) <= 160, text
    assert "\n" not in text


def same_photons(scan, parts, rtol=1e-5):
    np.testing.assert_allclose(scan.intensity, parts["counts"], rtol=rtol, atol=1e-3)
    return True


def test_the_first_dialect_holds_amplitude_and_two_coordinates(tmp_path, parts):
    rows, cols = parts["positions"].T
    meta = json.dumps({"photons": 3000.0, "kind": "made up"})
    arrays = {"diff3d": np.sqrt(parts["counts"]).astype(np.float32), "xcoords": cols, "ycoords": rows, "probeGuess": parts["probe"]}
    np.savez(tmp_path / "a.npz", **arrays, objectGuess=parts["truth"], probeTrue=parts["probe"], meta=meta)
    scan = load_scan(tmp_path / "a.npz")
    np.testing.assert_array_equal(scan.intensity, parts["counts"])
    np.testing.assert_array_equal(scan.positions, parts["positions"])
    np.testing.assert_array_equal(scan.probe[0], parts["probe"])
    np.testing.assert_array_equal(scan.true_probe[0], parts["probe"])
    np.testing.assert_array_equal(scan.truth, parts["truth"])
    assert scan.metadata["kind"] == "made up"
    assert scan.name == "a"
    assert told(scan, "squares are whole numbers", "pattern's centre", "known object")


def test_ptychopinn_s_normalised_amplitude_takes_its_photons_from_the_file(parts):
    amplitude = np.sqrt(parts["counts"])
    amplitude *= (N / 2) / np.sqrt(np.square(amplitude).sum() / M)
    rows, cols = parts["positions"].T
    arrays = {"diffraction": amplitude.astype(np.float32), "xcoords": cols, "ycoords": rows, "probeGuess": parts["probe"] / 50}
    total = parts["counts"].sum() / M
    scan = load_scan({**arrays, "nphotons": total})
    assert same_photons(scan, parts, rtol=1e-3)
    assert told(scan, "PtychoPINN's normalised amplitude", "normalised; they are scaled")
    assert (np.abs(scan.probe) ** 2).sum() == pytest.approx(scan.photons, rel=0.1)


def test_ptychopinn_s_whole_numbers_under_the_same_name_are_counts(parts):
    rows, cols = parts["positions"].T
    arrays = {"diff3d": parts["counts"].astype(np.uint16), "xcoords": cols, "ycoords": rows, "probeGuess": parts["probe"]}
    arrays |= {"Y": np.ones((M, N, N), np.complex64), "xcoords_start": cols, "scan_index": np.zeros(M, int)}
    scan = load_scan(arrays)
    assert same_photons(scan, parts)
    assert told(scan, "read as counts")


def test_normalised_amplitude_without_photons_follows_the_probe_or_says_a_guess(parts):
    amplitude = np.sqrt(parts["counts"] / parts["counts"].max())
    arrays = {"amplitude": amplitude, "positions": parts["positions"]}
    assert load_scan({**arrays, "probe": parts["probe"]}).photons == pytest.approx(3000, rel=1e-3)
    guessed = load_scan(arrays)
    assert guessed.photons == pytest.approx(1e6)
    assert told(guessed, "no photons are stored", "No probe is stored")


@pytest.mark.parametrize("scale", ["sum", "greatest", "log"])
def test_rescaled_patterns_ask_for_quantity(parts, scale):
    counts = parts["counts"]
    values = {"sum": counts / counts.sum((1, 2)).mean(), "greatest": counts / counts.max(), "log": np.log1p(counts)}[scale]
    with pytest.raises(ScanError) as caught:
        load_scan({"patterns": values, "positions": parts["positions"]})
    sentence(caught, "quantity=")
    read = load_scan({"patterns": counts / counts.max(), "positions": parts["positions"]}, quantity="counts")
    np.testing.assert_allclose(read.intensity / read.photons, counts / counts.sum() * M, rtol=1e-4)


def test_ptychopinn_s_scale_is_known_by_all_patterns_not_by_some(rng):
    amplitude = np.concatenate([rng.random((64, 8, 8)), np.full((64, 8, 8), 0.1)])[rng.permutation(128)]
    amplitude *= (8 / 2) / np.sqrt(np.square(amplitude).sum() / 128)
    notes = []
    assert quantity(amplitude, "diffraction", None, notes) == "amplitude"
    assert "PtychoPINN" in notes[0]


def test_tike_s_layout_is_moved_to_centres(tmp_path, parts):
    corner = np.fft.ifftshift(parts["counts"], axes=(1, 2)).astype(np.float32)
    packed = io.BytesIO()
    scan = (parts["positions"] - N / 2).astype(np.float32)
    np.savez(packed, data=corner[None], scan=scan[None], probe=parts["probe"][None, None, None, None] / 9)
    (tmp_path / "a.npz.bz2").write_bytes(bz2.compress(packed.getvalue()))
    read = load_scan(tmp_path / "a.npz.bz2")
    assert same_photons(read, parts)
    np.testing.assert_allclose(read.positions, parts["positions"])
    assert read.name == "a"
    assert told(read, "tike", "pattern's corner", "The probe carries")


def test_names_and_units_of_ptychodus_give_pixels(parts):
    rows, cols = parts["positions"].T * 2e-8
    arrays = {"patterns": parts["counts"], "probe": parts["probe"], "object": parts["truth"][None]}
    arrays |= {"probe_position_x_m": cols, "probe_position_y_m": rows, "object_pixel_width_m": 2e-8}
    bad = np.zeros((N, N), bool)
    bad[2, 3] = True
    scan = load_scan({**arrays, "bad_pixels": bad})
    np.testing.assert_allclose(scan.positions, parts["positions"])
    assert scan.pixel_size == pytest.approx(2e-8)
    assert not scan.mask[2, 3]
    assert scan.mask.sum() == N * N - 1
    assert scan.truth is None
    assert told(scan, "taken in m", "leaves out 1 of 256", "is left out")


@pytest.mark.parametrize("shape", ["last", "extra", "grid"])
def test_axes_are_found_by_the_number_of_positions(parts, shape):
    counts, positions = {
        "last": (np.moveaxis(parts["counts"], 0, -1), parts["positions"].T),
        "extra": (parts["counts"][None, :, None], parts["positions"]),
        "grid": (parts["counts"].reshape(7, 3, N, N), parts["positions"].reshape(7, 3, 2)),
    }[shape]
    assert same_photons(load_scan({"data": counts, "positions": positions, "probe": parts["probe"]}), parts)


def test_coordinates_on_a_grid_match_the_patterns_order(parts):
    y, x = (parts["positions"][:, i].reshape(7, 3) for i in (0, 1))
    scan = load_scan({"data": parts["counts"].reshape(7, 3, N, N), "x": x, "y": y, "probe": parts["probe"]})
    np.testing.assert_array_equal(scan.positions, parts["positions"])


def test_sixteen_patterns_of_sixteen_pixels_are_said_to_be_ambiguous(parts):
    cube = {"data": parts["counts"][:16], "positions": parts["positions"][:16], "probe": parts["probe"]}
    scan = load_scan(cube)
    np.testing.assert_array_equal(scan.intensity, parts["counts"][:16])
    assert told(scan, "All axes of the patterns are 16 long")


def test_arguments_override_the_evidence(parts):
    arrays = {"data": parts["counts"], "positions": parts["positions"], "probe": parts["probe"]}
    squared = load_scan(arrays, quantity="amplitude", zero_frequency="corner")
    np.testing.assert_allclose(squared.intensity, np.fft.fftshift(parts["counts"].astype(float) ** 2, axes=(1, 2)), rtol=1e-6)
    assert not told(squared, "read as counts")


def test_values_that_may_be_either_ask_for_quantity(parts):
    arrays = {"data": parts["counts"] * 1.37, "positions": parts["positions"]}
    with pytest.raises(ScanError) as caught:
        load_scan(arrays)
    sentence(caught, "quantity=")
    np.testing.assert_allclose(load_scan(arrays, quantity="counts").intensity, parts["counts"] * 1.37, rtol=1e-6)


@pytest.mark.parametrize(("kind", "power"), [("counts", 1.0), ("amplitude", 0.5)])
def test_the_probe_s_photons_tell_counts_from_amplitude(parts, kind, power):
    arrays = {"data": (parts["counts"] * 0.93) ** power, "positions": parts["positions"], "probe": parts["probe"]}
    scan = load_scan(arrays)
    np.testing.assert_allclose(scan.intensity, parts["counts"] * 0.93, rtol=1e-5)
    assert told(scan, f"read as {kind}: so their photons agree")


def test_a_flat_mean_pattern_asks_for_zero_frequency(parts, rng):
    arrays = {"data": rng.poisson(5.0, (M, N, N)), "positions": parts["positions"], "probe": parts["probe"]}
    with pytest.raises(ScanError) as caught:
        load_scan(arrays)
    sentence(caught, "zero_frequency=")
    assert load_scan(arrays, zero_frequency="centre").M == M


def test_metres_become_pixels_by_energy_distance_and_detector(parts):
    energy, distance, pixel = 8000.0, 1.5, 75e-6
    size = HC / energy * distance / (N * pixel)
    arrays = {"data": parts["counts"], "positions": parts["positions"] * size, "probe": parts["probe"]}
    lengths = {"energy_ev": energy, "distance_m": distance, "detector_pixel_m": pixel}
    scan = load_scan(arrays, position_unit="m", **lengths)
    np.testing.assert_allclose(scan.positions, parts["positions"])
    assert scan.pixel_size == pytest.approx(size)
    in_mm = load_scan({**arrays, "positions": parts["positions"] * size * 1e3}, position_unit="mm", **lengths)
    np.testing.assert_allclose(in_mm.positions, parts["positions"])
    in_um = {**arrays, "positions": parts["positions"] * size * 1e6}
    cropped = load_scan(in_um, position_unit="um", **lengths, crop=8)
    np.testing.assert_allclose(cropped.positions, parts["positions"] / 2)
    assert cropped.pixel_size == pytest.approx(2 * size)


def test_metres_without_the_means_to_convert_name_what_is_missing(parts):
    arrays = {"data": parts["counts"], "positions": parts["positions"] * 1e-8, "probe": parts["probe"]}
    with pytest.raises(ScanError) as caught:
        load_scan(arrays, position_unit="m", energy_ev=8000.0)
    sentence(caught, "distance_m=, detector_pixel_m=")
    with pytest.raises(ScanError) as caught:
        load_scan(arrays)
    sentence(caught, "position_unit")


def test_where_zero_frequency_lies_is_told_by_both_shares(parts):
    counts, box = parts["counts"], np.zeros((N, N), bool)
    box[N // 4 : -N // 4, N // 4 : -N // 4] = True
    shares = [counts[:, where].sum() / counts.sum() for where in (box, np.fft.fftshift(box))]
    scan = load_scan({"data": counts, "positions": parts["positions"]})
    assert told(scan, f"{shares[0]:.0%} of the light lies in its middle half, {shares[1]:.0%} in its corners")


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.float32])
def test_saturated_pixels_are_masked(parts, dtype):
    counts = parts["counts"].astype(dtype)
    counts[3:, 5, 6] = np.iinfo(dtype).max if np.dtype(dtype).kind != "f" else 65535
    scan = load_scan({"data": counts, "positions": parts["positions"], "probe": parts["probe"]})
    assert not scan.mask[5, 6]
    assert scan.mask.sum() == N * N - 1
    assert (scan.intensity[:, 5, 6] <= parts["counts"][:, 5, 6].max()).all()
    assert told(scan, "Detector pixel [5, 6] holds the greatest integer")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1])
def test_a_pixel_that_never_measured_is_masked_and_one_that_failed_once_is_told(parts, value):
    counts = parts["counts"].astype(np.float32)
    counts[:, 1, 2] = value
    arrays = {"data": counts, "positions": parts["positions"], "probe": parts["probe"]}
    scan = load_scan(arrays)
    assert not scan.mask[1, 2]
    assert told(scan, "in every pattern; masked")
    counts[0, 1, 2] = 0
    with pytest.raises(ScanError) as caught:
        load_scan(arrays)
    sentence(caught, "20 of 21 patterns, first 1")
    mask = np.ones((N, N), bool)
    mask[1, 2] = False
    assert load_scan(arrays, mask=mask).mask.sum() == N * N - 1


def test_empty_frames_are_kept_and_counted(parts):
    counts = parts["counts"].copy()
    counts[[4, 9, 11]] = 0
    scan = load_scan({"data": counts, "positions": parts["positions"], "probe": parts["probe"]})
    assert scan.M == M
    assert told(scan, "3 of 21 patterns, first 4")


def test_a_mask_that_marks_the_bad_is_turned_round(parts):
    flags = np.zeros((N, N), np.uint8)
    flags[0, :3] = 1
    for mask in (flags, 1 - flags):
        scan = load_scan({"data": parts["counts"], "positions": parts["positions"], "probe": parts["probe"], "mask": mask})
        np.testing.assert_array_equal(scan.mask, flags == 0)


@pytest.mark.parametrize("value", [10**6, 65535, np.iinfo(np.int64).max])
def test_defects_however_bright_do_not_turn_a_mask_round(parts, value):
    flags, counts = np.zeros((N, N), np.uint8), parts["counts"].copy()
    flags[2, 3] = flags[12:, 8] = 1
    counts[:, 2, 3] = value
    for mask in (flags, 1 - flags):
        scan = load_scan({"data": counts, "positions": parts["positions"], "probe": parts["probe"], "mask": mask})
        np.testing.assert_array_equal(scan.mask, flags == 0)


def test_a_missing_probe_is_estimated_with_the_patterns_photons(parts):
    scan = load_scan({"data": parts["counts"], "positions": parts["positions"]})
    assert told(scan, "No probe is stored")
    assert (np.abs(scan.probe) ** 2).sum() == pytest.approx(np.percentile(parts["counts"].sum((1, 2)), 99), rel=1e-4)
    far = np.fft.fftshift(np.abs(np.fft.fft2(scan.probe[0], norm="ortho")))
    mean = np.sqrt(parts["counts"].mean(0))
    np.testing.assert_allclose(far / far.max(), mean / mean.max(), atol=1e-4)


@pytest.mark.parametrize(("factor", "scaled"), [(1.3, False), (0.75, False), (2.0, True), (1e-3, True)])
def test_a_probe_far_from_the_photons_is_scaled(parts, factor, scaled):
    scan = load_scan({"data": parts["counts"], "positions": parts["positions"], "probe": parts["probe"] * factor})
    assert told(scan, "it is scaled to") == scaled
    assert 0.5 < (np.abs(scan.probe) ** 2).sum() / scan.photons < 2.1


def test_odd_and_oblong_patterns_name_crop_and_take_it(parts):
    oblong = np.zeros((M, 19, 24), int)
    oblong[:, 1:17, 4:20] = parts["counts"]  # zero frequency at [9, 12], the middle of 19 x 24
    arrays = {"data": oblong, "positions": parts["positions"]}
    with pytest.raises(ScanError) as caught:
        load_scan(arrays)
    sentence(caught, "crop=18")
    scan = load_scan(arrays, crop=16)
    np.testing.assert_array_equal(scan.intensity, parts["counts"])
    np.testing.assert_allclose(scan.positions, parts["positions"] * [16 / 19, 16 / 24])


def test_an_unknown_file_lists_its_arrays_and_the_call_to_make(tmp_path, parts):
    np.savez(tmp_path / "a.npz", apple=parts["counts"], pear=parts["positions"], plum=parts["probe"], pip=np.arange(3))
    with pytest.raises(ScanError) as caught:
        load_scan(tmp_path / "a.npz")
    text = str(caught.value)
    for words in ("apple  (21, 16, 16)  int64  (patterns?)", "pear  (21, 2)  float64  (positions?)", "plum", "pip  (3,)"):
        assert words in text
    assert "load_scan(…, patterns='apple', positions='pear', probe='plum')" in text
    assert same_photons(load_scan(tmp_path / "a.npz", patterns="apple", positions="pear", probe="plum"), parts)
    roles = {i.name: i.role for i in inspect_file(tmp_path / "a.npz")}
    assert roles == {"apple": "patterns", "pear": "positions", "plum": "probe", "pip": ""}


def objects(array):
    held = np.empty(len(array), object)
    held[:] = list(array)
    return held


@pytest.mark.parametrize(
    ("kind", "words"),
    [(objects, "Python objects"), (np.complex64, "complex64"), (str, "text"), (bool, "bool")],
)
def test_patterns_and_positions_of_another_type_are_called_by_it(parts, kind, words):
    make = kind if kind is objects else lambda array: array.astype(kind)
    for name in ("data", "positions"):
        arrays = {"data": parts["counts"], "positions": parts["positions"]}
        arrays[name] = make(arrays[name])
        role = {"data": "patterns"}.get(name, name)
        for said in ({}, {role: name}):
            with pytest.raises(ScanError) as caught:
                load_scan(arrays, **said)
            sentence(caught, f"{name!r} holds {words}")
            assert f"{role} are real numbers" in str(caught.value)


def test_an_array_of_another_type_does_not_hide_the_right_one(parts):
    arrays = {"patterns": parts["counts"].astype(complex), "data": parts["counts"], "positions": parts["positions"]}
    assert same_photons(load_scan(arrays), parts)


def test_named_coordinates_win_over_positions_by_name(parts):
    arrays = {"data": parts["counts"], "positions": parts["positions"] + 5, "u": parts["positions"][:, 1]}
    arrays["v"] = parts["positions"][:, 0]
    np.testing.assert_array_equal(load_scan(arrays, x="u", y="v").positions, parts["positions"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"patterns": "dat"}, "'dat'; allowed: data, positions, probe"),
        ({"positions": "positions", "probe": "positions"}, "The probe has shape"),
        ({"quantity": "photons"}, "quantity"),
        ({"zero_frequency": "center"}, "allowed: centre, corner"),
        ({"position_unit": "inch"}, "allowed: px, m, mm, um, nm"),
        ({"energy_ev": -1}, "positive"),
        ({"distance_m": float("nan")}, "positive"),
        ({"detector_pixel_m": "big"}, "positive"),
        ({"crop": 7}, "even"),
        ({"mask": np.ones((3, 3), bool)}, "boolean"),
        ({"mask": "nothing"}, "There is no array 'nothing'"),
        ({"mask": np.zeros((N, N), bool)}, "no detector pixel"),
    ],
)
def test_an_argument_that_cannot_be_is_one_sentence(parts, arguments, words):
    with pytest.raises(ScanError) as caught:
        load_scan({"data": parts["counts"], "positions": parts["positions"], "probe": parts["probe"]}, **arguments)
    sentence(caught, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positions": np.zeros((20, 2))}, "must match one to one"),
        ({"positions": np.zeros((M, 3))}, "no positions found"),
        ({"positions": np.full((M, 2), np.nan)}, "finite"),
        ({"positions": np.zeros((M, 2))}, "same"),
        ({"data": np.zeros((M, N, N))}, "zero"),
        ({"data": np.zeros((M, N, N), int)}, "zero"),
        ({"data": np.full((M, N, N), 65535, np.uint16)}, "greatest integer"),
        ({"data": np.full((M, N, N), np.nan)}, "no detector pixel"),
        ({"probe": np.zeros((N, N))}, "zero everywhere"),
        ({"probe": np.full((N, N), np.nan)}, "not finite"),
        ({"probe": np.ones((8, 8))}, "like the patterns"),
        ({"data": [[1, 2], [3]]}, "numpy arrays"),
        ({"data": object()}, "pickle"),
        ({3: np.ones(3)}, "names of arrays are text"),
    ],
)
def test_each_fault_of_the_data_is_one_sentence(parts, changes, words):
    arrays = {"data": parts["counts"], "positions": parts["positions"], "probe": parts["probe"], **changes}
    with pytest.raises(ScanError) as caught:
        load_scan(arrays, patterns="data")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()[0]) <= 160


def test_a_truth_that_the_positions_leave_is_left_out_and_said(parts):
    arrays = {"data": parts["counts"], "positions": parts["positions"][:, ::-1], "probe": parts["probe"], "truth": parts["truth"][:25]}
    scan = load_scan(arrays)
    assert scan.truth is None
    assert told(scan, "the positions do not lie on it")


def test_every_note_is_a_short_sentence(parts):
    arrays = {"data": np.moveaxis(parts["counts"], 0, -1).astype(np.uint16), "positions": parts["positions"].T, "x" * 200: np.ones(3)}
    for note in load_scan(arrays, crop=12).notes:
        assert len(note) <= 160
        assert note.endswith(".")


def full_scan(rng, parts):
    """A scan with every attribute set, awkward values among them."""
    return Scan(
        intensity=rng.random((M, N, N), dtype=np.float32) * 1e5,
        positions=parts["positions"] + rng.random((M, 2)) / 3,
        probe=np.stack([60 * parts["probe"], parts["probe"] * 6j]),
        truth=parts["truth"],
        true_probe=parts["probe"],
        true_positions=parts["positions"],
        mask=rng.random((N, N)) > 0.1,
        pixel_size=1 / 3e8,
        name="größe <b>",
        notes=("one.", "two."),
        metadata={"a": [1, 2.5, None, {"b": "c"}]},
    )


def equal(one, other):
    for name in ATTRIBUTES:
        a, b = one.__dict__[name], other.__dict__[name]
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b, name
    return True


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".hdf5"])
def test_a_saved_scan_comes_back_to_the_bit(tmp_path, rng, parts, suffix):
    scan = full_scan(rng, parts)
    save_scan(tmp_path / f"a{suffix}", scan)
    assert equal(load_scan(tmp_path / f"a{suffix}"), scan)
    plain = Scan(scan.intensity, scan.positions, scan.probe)
    save_scan(tmp_path / f"a{suffix}", plain)
    assert equal(load_scan(tmp_path / f"a{suffix}"), plain)


def test_a_saved_scan_takes_a_window_when_loaded(tmp_path, rng, parts):
    scan = full_scan(rng, parts)
    save_scan(tmp_path / "a.npz", scan)
    assert equal(load_scan(tmp_path / "a.npz", crop=8), scan.on_detector(crop=8))


def test_a_saved_scan_is_never_written_over_its_source_or_with_another_suffix(tmp_path, rng, parts):
    scan = full_scan(rng, parts)
    save_scan(tmp_path / "a.npz", scan)
    for name, words in (("a.npz", "never overwritten"), ("a.txt", ".npz, .h5")):
        with pytest.raises(ValueError, match=words):
            save_scan(tmp_path / name, scan, inputs=[tmp_path / "a.npz"])


def test_metadata_that_is_no_json_is_one_sentence_and_no_file(tmp_path, rng, parts):
    with pytest.raises(ValueError, match="metadata"):
        save_scan(tmp_path / "a.npz", full_scan(rng, parts).replace(metadata={"a": object()}))
    assert list(tmp_path.iterdir()) == []


def test_a_suffix_without_reader_names_those_that_there_are(tmp_path):
    for name in ("a.mat", "a", "a.npy", "a.bz2"):
        (tmp_path / name).touch()
        with pytest.raises(ScanError) as caught:
            load_scan(tmp_path / name)
        sentence(caught, ", ".join(READERS))
    with pytest.raises(ScanError, match="not from a int"):
        load_scan(3)


def test_a_folder_is_called_a_folder(tmp_path):
    for name in ("scan.7", "data"):
        (tmp_path / name).mkdir()
        with pytest.raises(ScanError, match=f"{name} is a folder; give the file in it"):
            load_scan(tmp_path / name)


def test_an_estimated_probe_is_put_out_of_focus_to_a_diameter():
    scan = tiny_scan()
    arrays = {"patterns": scan.intensity, "positions": scan.positions}
    for wanted in (7.0, 8.5):
        probe = load_scan(arrays, probe_diameter=wanted).probe
        assert probe_diameter(probe) == pytest.approx(wanted, abs=0.1)
    focus = load_scan(arrays)
    assert any("in focus" in note for note in focus.notes)
    assert np.abs(load_scan(arrays, probe_diameter=0.5).probe) == pytest.approx(np.abs(focus.probe), rel=1e-4)


def test_a_probe_diameter_means_the_same_on_an_oblong_detector():
    scan = tiny_scan(N=32)
    wide = np.pad(scan.intensity, ((0, 0), (0, 0), (16, 16)))
    read = {"patterns": wide, "positions": scan.positions * (1, 2)}  # columns of the object half as wide
    square, oblong = (
        load_scan(arrays, probe_diameter=12.0, crop=32) for arrays in ({"patterns": scan.intensity, "positions": scan.positions}, read)
    )
    assert probe_diameter(oblong.probe) == pytest.approx(12.0, abs=0.1)
    np.testing.assert_allclose(oblong.probe, square.probe, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(oblong.positions, scan.positions)


def test_a_given_center_says_where_zero_frequency_lies():
    scan = tiny_scan(N=16)
    wide = np.pad(scan.intensity, ((0, 0), (0, 24), (0, 24)))
    read = load_scan({"patterns": wide, "positions": scan.positions}, center=(8, 8), crop=16)
    np.testing.assert_array_equal(read.intensity, scan.intensity)


def test_a_window_without_light_is_said():
    scan = tiny_scan(N=16)
    wide = np.pad(scan.intensity, ((0, 0), (0, 24), (0, 24)))
    with pytest.raises(ScanError, match=r"No pattern has light in the 8 x 8 px round \(32, 32\)"):
        load_scan({"patterns": wide, "positions": scan.positions}, center=(32, 32), crop=8)


def test_true_positions_are_read_like_positions(tmp_path, rng, parts):
    scan = full_scan(rng, parts)
    save_scan(tmp_path / "a.npz", scan)
    read = load_scan(tmp_path / "a.npz", position_unit="px", quantity="counts", zero_frequency="centre", crop=N // 2)
    np.testing.assert_allclose(read.true_positions, scan.true_positions / 2)
    metres = {"patterns": parts["counts"], "positions_m": scan.positions * 1e-8, "true_positions": scan.true_positions * 1e-8}
    read = load_scan(metres | {"pixel_size": 1e-8, "probe": parts["probe"]}, positions="positions_m")
    np.testing.assert_allclose(read.true_positions, scan.true_positions)


def test_a_masked_pixel_has_no_say_in_photons(parts):
    bad = parts["counts"].astype(np.float32)
    bad[3:, 0, 0] = 1e7
    mask = np.ones(bad.shape[1:], dtype=bool)
    mask[0, 0] = False
    read = load_scan({"intensity": bad, "positions": parts["positions"], "probe": parts["probe"]}, mask=mask)
    assert not any("less than 1 %" in note or "scaled" in note for note in read.notes)


@pytest.mark.parametrize("diameter", [0, -1.0, float("nan"), "wide", 14.0])
def test_a_probe_diameter_that_cannot_be_is_refused(diameter):
    scan = tiny_scan()
    with pytest.raises(ScanError, match="probe_diameter is"):
        load_scan({"patterns": scan.intensity, "positions": scan.positions}, probe_diameter=diameter)


def test_a_probe_that_is_estimated_off_the_centre_is_that_of_the_centred_beam():
    scan = tiny_scan()
    moved = {"patterns": np.roll(scan.intensity, (2, -1), axis=(1, 2)), "positions": scan.positions}
    straight = load_scan({"patterns": scan.intensity, "positions": scan.positions})
    assert load_scan(moved, center=(10, 7)).probe == pytest.approx(straight.probe, abs=1e-2)
