"""Recorded scans, where their folder is at hand."""

from __future__ import annotations

import numpy as np
import pytest

from ptycho_nb.errors import ScanError
from ptycho_nb.readers import inspect_file, load_scan


def test_the_simulated_scan_brings_its_truth(data_folder):
    scan = load_scan(data_folder / "synthetic64.npz")
    assert (scan.M, scan.N, scan.truth.shape) == (1156, 64, (512, 512))
    assert (np.abs(scan.true_probe) ** 2).sum() == pytest.approx(1e6, rel=1e-4)
    assert (np.abs(scan.probe) ** 2).sum() == pytest.approx(1e6, rel=1e-4)
    patch = scan.truth[tuple(slice(round(p) - 32, round(p) + 32) for p in scan.positions[500])]
    far = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(patch * scan.true_probe[0]), norm="ortho"))
    assert np.abs(far).ravel() @ np.sqrt(scan.intensity[500]).ravel() / np.linalg.norm(far) / np.sqrt(scan.intensity[500].sum()) > 0.97


def test_the_multislice_scan_knows_its_pixel(data_folder):
    scan = load_scan(data_folder / "ducky_abtem64.npz")
    assert scan.pixel_size == pytest.approx(0.625e-10)
    assert scan.photons == pytest.approx(2.49e6, rel=1e-2)
    np.testing.assert_allclose(scan.intensity, np.round(scan.intensity), atol=1e-2)


@pytest.mark.long
def test_the_star_s_original_equals_its_converted_copy(data_folder):
    original, copy = load_scan(data_folder / "siemens-star-small.npz.bz2"), load_scan(data_folder / "siemens_star_real128.npz")
    np.testing.assert_allclose(original.intensity, copy.intensity, atol=1e-3)
    shift = original.positions - copy.positions
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-9)
    overlap = np.vdot(original.probe, copy.probe) / np.linalg.norm(original.probe) / np.linalg.norm(copy.probe)
    assert abs(overlap) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(original.probe) == pytest.approx(np.linalg.norm(copy.probe), rel=0.02)


def test_cropping_the_star_gives_its_cropped_copy(data_folder):
    wide = load_scan(data_folder / "siemens_star_real128.npz", crop=64)
    small = load_scan(data_folder / "siemens_star_real64.npz")
    np.testing.assert_allclose(wide.intensity, small.intensity, atol=1e-3)
    shift = wide.positions - small.positions
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-9)
    overlap = np.vdot(wide.probe, small.probe) / np.linalg.norm(wide.probe) / np.linalg.norm(small.probe)
    assert abs(overlap) == pytest.approx(1, abs=1e-5)


def test_a_foreign_hdf5_is_refused_in_one_sentence(data_folder, tmp_path):
    source = data_folder / "PETRAIII_P25_Near_Field_Ptycho.cxi"
    (tmp_path / "a.h5").write_bytes(source.read_bytes())
    for path in (source, tmp_path / "a.h5"):
        with pytest.raises(ScanError, match="NPZ") as caught:
            load_scan(path)
        assert len(str(caught.value)) <= 160


def test_a_file_s_arrays_are_listed_with_their_roles(data_folder):
    roles = {i.name: i.role for i in inspect_file(data_folder / "synthetic64.npz")}
    assert roles == {
        "diff3d": "patterns",
        "xcoords": "x",
        "ycoords": "y",
        "probeGuess": "probe",
        "probeTrue": "true_probe",
        "objectGuess": "truth",
        "meta": "meta",
    }
