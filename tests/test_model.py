"""The module: from photons through the network and the physics back to photons, and into a file."""

from __future__ import annotations

import json
from contextlib import nullcontext

import lightning as L
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_scan import tiny_scan

from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, TrainingConfig
from ptycho_nb.dataset import Batch, loaders
from ptycho_nb.errors import InputError
from ptycho_nb.losses import amplitude
from ptycho_nb.model import PtychoPINN, ScanFacts
from ptycho_nb.model.facts import ENERGY, lit_width
from ptycho_nb.model.optimisers import EXPONENTIAL_END, SCHEDULES
from ptycho_nb.network import FLAT, centre
from ptycho_nb.patches import take
from ptycho_nb.physics import diffract, intensity
from ptycho_nb.scan import Scan

SMALL = ModelConfig(hidden=12)
FOUR = DataConfig(gridsize=2)


def module_for(scan: Scan, data: DataConfig | None = None, **training: object) -> PtychoPINN:
    return PtychoPINN.for_scan(scan, SMALL, data or FOUR, TrainingConfig(**training))


def first_batch(scan: Scan, data: DataConfig | None = None, truth: bool = False) -> Batch:
    return next(iter(loaders(scan, data or FOUR, truth=truth).train))


def test_the_module_takes_the_four_configs():
    configs = SMALL, DataConfig(gridsize=3), TrainingConfig(epochs=2), InferenceConfig(batch_size=7)
    module = PtychoPINN(*configs, facts=ScanFacts(16, 1, 10, 1e5, 42, ""))
    assert (module.model_config, module.data_config, module.training_config, module.inference_config) == configs
    assert isinstance(module, L.LightningModule)
    assert module.automatic_optimization


def test_hyper_parameters_are_plain_json_and_rebuild_the_module():
    module = module_for(tiny_scan())
    stored = json.loads(json.dumps(dict(module.hparams)))
    assert PtychoPINN(**stored).settings() == module.settings()


def test_the_lit_square_holds_the_energy_and_no_smaller_one_does():
    scan = tiny_scan(N=32)
    width = lit_width(scan.probe)
    energy = torch.from_numpy(np.abs(scan.probe) ** 2).sum(0)
    assert width % 2 == 0
    assert centre(energy, width).sum() >= ENERGY * energy.sum() > centre(energy, width - 2).sum()
    assert lit_width(np.ones((1, 16, 16), np.complex64)) == 16


def test_the_network_is_shown_amplitudes_of_mean_square_one():
    scan = tiny_scan()
    module, shown = module_for(scan), []
    module.network.register_forward_pre_hook(lambda _, args: shown.append(args[0]))
    module(torch.from_numpy(scan.intensity)[None])
    assert shown[0].square().mean().item() == pytest.approx(1, rel=1e-5)


def test_masked_pixels_reach_neither_network_nor_loss():
    scan = tiny_scan()
    mask = np.ones((16, 16), bool)
    mask[3, 4] = mask[8, 8] = False
    spoiled = scan.intensity.copy()
    spoiled[:, ~mask] = 65535
    good, bad = scan.replace(mask=mask), scan.replace(intensity=spoiled, mask=mask)
    one, other = module_for(good), module_for(bad)
    shaken(one.network), shaken(other.network)
    torch.testing.assert_close(one.misfit(first_batch(good)), other.misfit(first_batch(bad)))


@pytest.mark.parametrize("sub_pixel", [False, True])
def test_true_patches_agree_and_explain_the_photons(sub_pixel):
    scan = tiny_scan(sub_pixel=sub_pixel)
    module, train = module_for(scan), loaders(scan, DataConfig(gridsize=3, validation_fraction=0)).train
    members = train.groups[20:22]
    batch = train.batch(members)
    patches = take(torch.from_numpy(scan.truth), torch.from_numpy(scan.positions)[members], 16)
    agreed = module.agree(patches, batch.offsets, batch.canvas)
    lit = module.patch_weight > 0.3
    assert (agreed - patches)[..., lit].abs().max() < 0.02
    assert amplitude(diffract(agreed, module.probe), batch.intensity, batch.mask) < 0.02 * batch.intensity.mean()


def test_patches_that_contradict_each_other_meet_in_the_middle():
    scan = tiny_scan(step=1.0)
    module, batch = module_for(scan), first_batch(scan)
    patches = torch.full((1, 4, 16, 16), 0.5 + 0j)
    patches[:, 2:] = 1.0
    still = batch.offsets[:1] * 0 + torch.tensor(batch.canvas) // 2
    agreed = module.agree(patches, still, batch.canvas)
    assert torch.allclose(agreed[0, :, 8, 8], torch.tensor(0.75 + 0j), atol=1e-3)


def test_beyond_all_patches_the_object_is_flat():
    scan = tiny_scan(step=1.0)
    module, batch = module_for(scan), first_batch(scan)
    agreed = module.agree(torch.ones(1, 4, 16, 16, dtype=torch.complex64), batch.offsets[:1], batch.canvas)
    corner = agreed[0, :, 0, 0].abs()
    assert ((corner - FLAT).abs() < 0.02).any()


def test_a_group_of_one_explains_itself_alone():
    scan = tiny_scan()
    data = DataConfig(gridsize=1)
    module, batch = module_for(scan, data), first_batch(scan, data)
    expected = diffract(torch.full_like(batch.intensity, FLAT) + 0j, module.probe)
    torch.testing.assert_close(module.explain(batch), expected)


def test_the_loss_is_relative_so_that_the_dose_does_not_matter():
    scan = tiny_scan()
    bright = scan.replace(intensity=scan.intensity * 100, probe=scan.probe * 10)
    one, other = module_for(scan).misfit(first_batch(scan)), module_for(bright).misfit(first_batch(bright))
    assert one.item() == pytest.approx(other.item(), rel=1e-3)


def test_the_loss_is_told_in_the_unit_of_the_iterative_fit():
    """Photons a pixel: twice the dose, twice the loss; a distance to the truth has no unit."""
    scan = tiny_scan()
    assert module_for(scan).unit == pytest.approx(scan.photons / scan.N**2)
    assert module_for(scan, objective="supervised").unit == 1


def test_supervision_is_nought_at_the_truth_under_any_one_phase():
    scan = tiny_scan()
    module, batch = module_for(scan, objective="supervised"), first_batch(scan, truth=True)
    turned = batch.truth * torch.polar(torch.ones(len(batch.truth)), torch.arange(len(batch.truth)) + 0.5)[:, None, None, None]
    assert module.distance_to_truth(turned, batch).item() == pytest.approx(0, abs=1e-5)
    apart = batch.truth * torch.polar(torch.ones(4), torch.tensor([0.0, 1, 2, 3]))[:, None, None]
    assert module.distance_to_truth(apart, batch) > 0.1  # one phase a group, not one a patch


def test_supervision_without_truth_is_one_sentence():
    scan = tiny_scan()
    with pytest.raises(InputError, match="no known object"):
        module_for(scan, objective="supervised").misfit(first_batch(scan))


def test_total_variation_adds_to_the_loss():
    scan = tiny_scan()
    plain, smooth = module_for(scan), module_for(scan, total_variation=1.0)
    shaken(plain.network), shaken(smooth.network)
    assert smooth.misfit(first_batch(scan)) > plain.misfit(first_batch(scan))


def test_low_precision_stays_inside_the_network():
    scan = tiny_scan()
    exact, rough = module_for(scan, precision="float32"), module_for(scan, precision="bfloat16")
    shaken(exact.network), shaken(rough.network)
    measured = torch.from_numpy(scan.intensity)[None]
    assert rough(measured).dtype == torch.complex64
    assert not torch.equal(exact(measured), rough(measured))
    assert torch.allclose(exact(measured), rough(measured), atol=0.1)


@pytest.mark.parametrize("able", [True, False])
def test_precision_auto_is_bfloat16_where_the_device_has_it(able, monkeypatch):
    monkeypatch.setattr("ptycho_nb.machine.has_bfloat16", lambda device: able)
    scan = tiny_scan()
    auto, named = module_for(scan), module_for(scan, precision="bfloat16" if able else "float32")
    shaken(auto.network), shaken(named.network)
    measured = torch.from_numpy(scan.intensity)[None]
    assert torch.equal(auto(measured), named(measured))


@pytest.mark.parametrize("course", SCHEDULES)
def test_a_course_stays_between_nought_and_one(course):
    values = [SCHEDULES[course](step, 40, 0.25) for step in range(40)]
    assert all(0 <= value <= 1 for value in values)
    assert max(values) == pytest.approx(1)


def test_warmup_rises_straight_and_then_follows_a_cosine():
    values = [SCHEDULES["warmup_cosine"](step, 40, 0.25) for step in range(40)]
    assert np.allclose(values[:10], np.arange(1, 11) / 10)
    assert np.allclose(values[10:], 0.5 * (1 + np.cos(np.pi * np.arange(30) / 30)))


def test_exponential_loses_the_same_share_each_step():
    values = np.array([SCHEDULES["exponential"](step, 40, 0.0) for step in range(41)])
    assert np.allclose(values[1:] / values[:-1], EXPONENTIAL_END ** (1 / 40))


def test_a_preview_of_a_flat_network_is_flat():
    scan = tiny_scan()
    found = module_for(scan).preview(torch.from_numpy(scan.intensity), torch.from_numpy(scan.positions), scan.canvas.shape)
    assert found.shape == scan.truth.shape
    assert torch.allclose(found, torch.tensor(FLAT + 0j), atol=1e-4)


@pytest.mark.parametrize("network", ["global_map", "cnn", "fourier"])
def test_a_saved_module_comes_back_bit_for_bit(network, tmp_path):
    scan = tiny_scan(modes=2)
    module = PtychoPINN.for_scan(scan, ModelConfig(network=network, hidden=12, n_filters_scale=0.125), DataConfig(gridsize=1))
    shaken(module.network)
    module.save(tmp_path / "model.safetensors")
    again = PtychoPINN.load(tmp_path / "model.safetensors")
    assert again.settings() == module.settings()
    assert all(torch.equal(a, b) for a, b in zip(module.state_dict().values(), again.state_dict().values(), strict=True))
    measured = torch.from_numpy(scan.intensity[:3])[None]
    assert torch.equal(module(measured), again(measured))


def test_a_file_that_is_no_model_is_one_sentence(tmp_path):
    good = tmp_path / "good.safetensors"
    module_for(tiny_scan()).save(good)
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(good.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole file"):
        PtychoPINN.load(bad)
    save_file({"w": torch.zeros(2)}, bad)
    with pytest.raises(InputError, match="another program"):
        PtychoPINN.load(bad)
    with pytest.raises(InputError, match="no file"):
        PtychoPINN.load(tmp_path / "missing.safetensors")


@pytest.mark.parametrize("change", ["width", "hidden"])
def test_tensors_that_do_not_fit_the_settings_are_refused(change, tmp_path, monkeypatch):
    module = module_for(tiny_scan())
    settings = module.settings()
    settings["model" if change == "hidden" else "facts"][change] += 2
    monkeypatch.setattr(module, "settings", lambda: settings)
    module.save(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="does not fit"):
        PtychoPINN.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        *[("facts", "N", value) for value in (10**6, 18, 16.0, True, "16")],
        *[("facts", "width", value) for value in (0, -2, 11, 18, 10**6, 10.0)],
        *[("facts", "modes", value) for value in (10**9, 0, -1)],
        *[("facts", "photons", value) for value in (0.0, -1.0, float("nan"), float("inf"), "many")],
        *[("facts", "M", value) for value in (0, -1, 2**40, 4.5)],
        ("facts", "digest", 3),
        ("model", "hidden", 8192),
        ("model", "network", "cnn"),
    ],
)
def test_facts_of_a_stranger_s_file_are_checked_before_anything_is_built(section, name, value, tmp_path, monkeypatch):
    module = module_for(tiny_scan())
    settings = module.settings()
    settings[section][name] = value
    monkeypatch.setattr(module, "settings", lambda: settings)
    module.save(tmp_path / "model.safetensors")
    monkeypatch.setattr("ptycho_nb.model.module.build_network", lambda *_: pytest.fail("built"))
    with pytest.raises(InputError, match="does not fit its settings") as caught:
        PtychoPINN.load(tmp_path / "model.safetensors")
    assert len(str(caught.value)) <= 160


@pytest.mark.parametrize("section", [{}, {"facts": {}}, {"facts": 3}, {"facts": {"N": 16, "colour": 3}}, {"model": 7}])
def test_settings_that_are_missing_are_one_sentence(section, tmp_path, monkeypatch):
    module = module_for(tiny_scan())
    settings = {**module.settings(), **section} if section else {}
    monkeypatch.setattr(module, "settings", lambda: settings)
    module.save(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="lacks settings"):
        PtychoPINN.load(tmp_path / "model.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    module = module_for(tiny_scan())
    with torch.no_grad():
        module.network.last.bias[0] = float("nan")
    module.save(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="NaN"):
        PtychoPINN.load(tmp_path / "model.safetensors")


def test_the_weight_of_a_patch_is_the_probe_where_it_is_predicted():
    scan = tiny_scan(modes=3)
    module = module_for(scan)
    lit, N = intensity(module.probe).sum(0), 16
    inside = module.patch_weight > 0
    assert int(inside.sum()) == module.facts.width**2
    assert torch.allclose(module.patch_weight[inside] * lit.max(), lit[inside], rtol=1e-4)
    assert module.patch_weight.shape == (N, N)


def test_the_loss_is_of_what_the_model_explains(monkeypatch):
    scan = tiny_scan()
    module, batch = module_for(scan), first_batch(scan)
    monkeypatch.setattr(module, "explain", lambda batch, patches: batch.intensity)
    assert module.misfit(batch).item() == 0


@pytest.mark.parametrize("network", ["global_map", "cnn", "fourier"])
@pytest.mark.parametrize("objective", ["unsupervised", "supervised"])
def test_everything_in_a_step_is_on_one_device(network, objective, monkeypatch):
    """The meta device holds no numbers, but refuses to mix with another, as a graphics card does."""
    scan = tiny_scan()
    training = TrainingConfig(objective=objective, total_variation=0.1)
    module = PtychoPINN.for_scan(scan, ModelConfig(network=network, hidden=12, n_filters_scale=0.125), FOUR, training).to("meta")
    monkeypatch.setattr("ptycho_nb.patches._corners", corners_without_numbers)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no such device
    for loader in loaders(scan, FOUR, batch_size=8, truth=objective == "supervised", device="meta"):
        for batch in loader:
            loss = module.misfit(batch)
            assert loss.device.type == "meta"
            loss.backward()
    assert all(p.grad is not None for p in module.network.parameters())


def corners_without_numbers(positions: torch.Tensor, N: int, dtype: torch.dtype) -> tuple[np.ndarray, torch.Tensor]:
    """What places patches, on the device of the positions."""
    return np.zeros((len(positions), 2), int), torch.ones(8, len(positions), 1, 1, 1, dtype=dtype, device=positions.device)


def shaken(network: torch.nn.Module) -> None:
    """Weights away from the zeros they start with."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=draw)
