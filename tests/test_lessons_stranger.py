"""The stranger's file: each fault is found by its check, mended by one argument, and the image is the known one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptycho_nb import ScanError, checks, load_scan, rank_orientations, refine
from ptycho_nb.checks import good_pixels
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.lessons import stranger as lesson
from ptycho_nb.lessons.stranger import BEAM_OFF, DEAD, HOT, Stranger, leave_file
from ptycho_nb.metrics import compare_objects, probe_diameter
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

NAMES = {"patterns": "raw", "positions": "motor"}
LENGTHS = {"position_unit": "um", "energy_ev": 8000, "distance_m": 1.0, "detector_pixel_m": 55e-6, "probe_diameter": 0.5}
BEAM = (100 + BEAM_OFF[0], 100 + BEAM_OFF[1])


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    return leave_file(tmp_path_factory.mktemp("left"))


@pytest.fixture(scope="module")
def whole(left: Stranger) -> Scan:
    return load_scan(left.path, **NAMES, **LENGTHS)


@pytest.fixture(scope="module")
def mended(left: Stranger, whole: Scan) -> Scan:
    return load_scan(left.path, **NAMES, **LENGTHS, mask=good_pixels(whole), center=BEAM, crop=128, bin=2)


def words(scan: Scan) -> list[str]:
    return [finding.word for finding in checks(scan)]


def test_no_name_of_the_file_is_known(left):
    with pytest.raises(ScanError, match=r"patterns='raw', positions='motor'"):
        load_scan(left.path)


def test_with_names_alone_every_fault_in_the_arrays_is_told(left):
    scan = load_scan(left.path, **NAMES)
    assert words(scan) == ["units", "hot", "dead", "centre"]
    assert any("last axis counts" in note for note in scan.notes)


def test_the_unit_asks_for_the_parts_of_the_pixel_size(left):
    with pytest.raises(ScanError, match="energy_ev=, distance_m=, detector_pixel_m="):
        load_scan(left.path, **NAMES, position_unit="um")


def test_units_and_beam_leave_the_detector_to_mend(whole, left):
    assert words(whole) == ["hot", "dead", "centre"]
    assert whole.pixel_size == pytest.approx(left.made.pixel_size, rel=1e-6)
    assert probe_diameter(whole.probe) == pytest.approx(0.5e-6 / whole.pixel_size, rel=0.01)


def test_good_pixels_are_all_but_those_made_bad(whole):
    assert sorted(map(tuple, np.argwhere(~good_pixels(whole)).tolist())) == sorted(HOT + DEAD)


def test_the_centre_is_told_rightly_only_once_hot_pixels_are_masked(whole):
    def beam(scan: Scan) -> np.ndarray:
        told = next(f for f in checks(scan) if f.word == "centre").cause
        return np.array(told[told.index("(") + 1 : told.index(")")].split(","), dtype=float)

    off, masked = (np.abs(beam(scan) - BEAM).max() for scan in (whole, whole.on_detector(mask=good_pixels(whole))))
    assert masked < 1 < off


def test_the_mended_scan_is_without_complaint_and_a_tenth_of_the_data(mended, whole):
    assert checks(mended) == []
    assert mended.intensity.size * 9 < whole.intensity.size


def test_the_truth_lies_where_the_positions_of_the_mended_scan_do(left, mended):
    scan = mended.oriented(transpose=True)
    seen = left.made.on_detector(crop=128, bin=2)
    flat = np.ones(scan.canvas.shape, dtype=np.complex64)
    blank = Reconstruction(
        flat, flat.real, seen.probe, scan.positions, scan.canvas.origin, scan.pixel_size, method="Iterative", state=State.DONE
    )
    known = blank.replace(object=left.truth(blank))
    assert known.r_factor(scan) < 0.6 * blank.r_factor(scan)


def test_a_truth_has_no_place_on_another_reconstruction(left, mended):
    flat = np.ones((40, 40), dtype=np.complex64)
    other = Reconstruction(flat, flat.real, mended.probe, mended.positions, (0, 0), None, method="Iterative", state=State.DONE)
    with pytest.raises(InputError, match=r"run0042\.npz"):
        left.truth(other)


def test_a_folder_that_is_not_there_is_refused_in_a_sentence(left, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(lesson, "simulate_scan", lambda _: left.made)
    with pytest.raises(InputError, match="cannot be written"):
        leave_file(tmp_path / "missing")


@pytest.mark.long
def test_the_swapped_axes_are_found_and_the_image_is_the_known_one(left, mended):
    best = rank_orientations(mended)[0]
    assert best.words == "rows and columns swapped"
    result = refine(best.apply(mended))
    scores = compare_objects(result.object, left.truth(result), result.scanned)
    assert scores.amplitude.ssim > 0.8
    assert scores.phase.ssim > 0.9
    assert scores.phase.mae < 0.05
