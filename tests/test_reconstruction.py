"""From a network to the object: a network that knows the truth gives the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb import InferenceConfig, ModelConfig, Scan, SimulationConfig, TrainingConfig, reconstruct, simulate_scan
from ptycho_nb.errors import InputError
from ptycho_nb.metrics import compare_objects
from ptycho_nb.model import PtychoPINN
from ptycho_nb.network import FLAT
from ptycho_nb.patches import take

SMALL = SimulationConfig(object="gaussian_field", N=32, height=88, width=112, overlap=0.7, probe_diameter=12, defocus=0.5)


class Oracle(torch.nn.Module):
    """Answers each batch of patterns, in the order of the scan, with the truth's own patches times a phase."""

    def __init__(self, scan: Scan, phases: np.ndarray) -> None:
        super().__init__()
        patches = take(torch.from_numpy(scan.truth), torch.from_numpy(scan.positions), scan.N)
        self.patches = patches * torch.from_numpy(phases)[:, None, None]
        self.asked = 0

    def forward(self, amplitudes: torch.Tensor) -> torch.Tensor:
        first, self.asked = self.asked, self.asked + len(amplitudes)
        return self.patches[first : first + len(amplitudes), None]


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(SMALL)


def oracle(scan, phases=None):
    model = PtychoPINN.for_scan(scan, ModelConfig(hidden=8))
    model.network = Oracle(scan, np.ones(scan.M, dtype=np.complex64) if phases is None else phases)
    return model


def quality(found, scan):
    scores = compare_objects(found.object, scan.truth, found.scanned)
    return scores.phase.ssim


@pytest.mark.parametrize(("whole", "error"), [(True, 1e-5), (False, 2e-2)])
def test_the_stitch_of_true_patches_is_the_truth(scan, whole, error):
    """To rounding at whole pixels; between them the cubic kernel blurs this rough texture a little."""
    scan = scan.replace(positions=np.rint(scan.positions)) if whole else scan
    found = reconstruct(oracle(scan), scan, InferenceConfig(synchronise="never", batch_size=7))
    assert found.object.shape == scan.truth.shape
    assert found.origin == (0, 0)
    assert np.abs(found.object - scan.truth)[found.scanned].mean() < error


def test_auto_synchronises_true_patches_of_unknown_phases(scan, rng):
    phases = np.exp(1j * rng.uniform(0, 2 * np.pi, scan.M)).astype(np.complex64)
    apart = reconstruct(oracle(scan, phases), scan, InferenceConfig(synchronise="never"))
    together = reconstruct(oracle(scan, phases), scan, InferenceConfig(synchronise="auto"))
    assert quality(apart, scan) < 0.5
    assert quality(together, scan) > 0.98


def test_auto_keeps_the_plain_stitch_where_synchronised_phases_do_harm(scan, monkeypatch):
    """Harm made on purpose: phases that are as wrong as can be."""
    turns = np.exp(1j * np.random.default_rng(1).uniform(0, 2 * np.pi, scan.M)).astype(np.complex64)
    monkeypatch.setattr("ptycho_nb.reconstruction.patch_phases", lambda *_: turns)
    kept = reconstruct(oracle(scan), scan, InferenceConfig(synchronise="auto"))
    harmed = reconstruct(oracle(scan), scan, InferenceConfig(synchronise="always"))
    assert quality(harmed, scan) < 0.5
    assert quality(kept, scan) > 0.98


def test_where_no_patch_speaks_the_object_is_flat_and_coverage_is_the_light_that_fell(scan):
    found = reconstruct(oracle(scan), scan, InferenceConfig(synchronise="never"))
    assert np.abs(found.object[0, 0]) == pytest.approx(FLAT, rel=1e-5)
    light = scan.M * np.sum(np.abs(scan.probe) ** 2)
    assert found.coverage.sum() == pytest.approx(light, rel=1e-3)


class Bright(torch.nn.Module):
    """Answers with the amplitudes that it sees."""

    def forward(self, amplitudes: torch.Tensor) -> torch.Tensor:
        return amplitudes.to(torch.complex64)


def test_a_scan_of_another_dose_gives_the_same_object_and_a_dimmer_one_of_the_same_probe_a_dimmer_object(scan):
    model = PtychoPINN.for_scan(scan, ModelConfig(hidden=8))
    model.network = Bright()
    never = InferenceConfig(synchronise="never")
    found = reconstruct(model, scan, never)
    dark = scan.replace(intensity=scan.intensity / 10)
    dose = dark.replace(probe=scan.probe / np.sqrt(10, dtype=np.float32))
    np.testing.assert_allclose(reconstruct(model, dose, never).object, found.object, rtol=1e-4)
    dimmer = reconstruct(model, dark, never)
    spoken = np.abs(found.object) != np.float32(FLAT)
    np.testing.assert_allclose(dimmer.object[spoken] * np.sqrt(10), found.object[spoken], rtol=1e-4)


def test_patterns_are_predicted_on_the_device_of_the_training(scan, monkeypatch):
    model = oracle(scan)
    asked, moves = [], []
    monkeypatch.setattr("ptycho_nb.reconstruction.pick_device", lambda name: asked.append(name) or torch.device("cpu", 0))
    monkeypatch.setattr(model, "to", lambda device: moves.append((device, torch.is_inference_mode_enabled())))
    reconstruct(model, scan)
    assert asked == [model.training_config.accelerator]
    assert moves == [(torch.device("cpu", 0), False), (torch.device("cpu"), False)]  # weights moved in inference mode cannot learn again


def test_a_model_of_a_device_that_is_missing_here_predicts_on_what_there_is(scan, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = PtychoPINN.for_scan(scan, ModelConfig(hidden=8), training=TrainingConfig(accelerator="cuda"))
    assert reconstruct(model, scan).method == "Network"


def test_two_patterns_are_enough(scan):
    pair = scan.select([0, 1])
    assert reconstruct(oracle(pair), pair).object.shape == scan.truth.shape


def test_patterns_of_another_width_are_refused_in_a_sentence(scan):
    with pytest.raises(InputError, match="width 32, the scan has 16"):
        reconstruct(oracle(scan), scan.on_detector(crop=16))


@pytest.mark.parametrize("turn", [{"flip_rows": True}, {"flip_columns": True}, {"flip_rows": True, "flip_columns": True}])
def test_a_flip_of_the_positions_undoes_itself(scan, turn):
    there = scan.oriented(**turn)
    assert there.truth is None
    assert not np.allclose(there.positions, scan.positions)
    np.testing.assert_allclose(there.oriented(**turn).positions, scan.positions)


def test_transposed_positions_swap_rows_and_columns_of_the_canvas(scan):
    plain = scan.replace(truth=None)
    turned = plain.oriented(transpose=True)
    assert turned.canvas.shape == plain.canvas.shape[::-1]
    np.testing.assert_array_equal(turned.positions, scan.positions[:, ::-1])
    assert scan.oriented() is scan
