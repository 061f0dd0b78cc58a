"""What every entry of the table of networks must do."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from ptycho_nb.config import ModelConfig
from ptycho_nb.network import AMPLITUDES, FLAT, NETWORKS, BackProjection, Size, acquaint, build_network, centre, outline, surround
from ptycho_nb.physics import diffract, intensity


def beam(N: int) -> torch.Tensor:
    v, u = torch.meshgrid(torch.arange(N) - N // 2, torch.arange(N) - N // 2, indexing="ij")
    r2 = (u**2 + v**2).double()
    return (100 * torch.polar(torch.exp(-r2 / (2 * (N / 8) ** 2)), 0.3 * r2 / N)).to(torch.complex64)[None]


def made(kind: str, N: int = 16, width: int = 10, seed: int = 0, **more: object) -> torch.nn.Module:
    network = build_network(kind, Size(N, width, hidden=12, n_filters_scale=0.125, **more), seed)
    acquaint(network, beam(N), torch.ones(N, N), torch.full((N, N), 0.5))
    return network


@pytest.fixture
def amplitudes(rng) -> torch.Tensor:
    return torch.from_numpy(rng.uniform(0, 3, (2, 3, 16, 16)).astype(np.float32))


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(("N", "width"), [(16, 10), (16, 16), (18, 14), (64, 30), (40, 22)])
def test_a_network_keeps_the_shape_and_starts_flat(kind, N, width, rng):
    patches = made(kind, N, width)(torch.from_numpy(rng.uniform(0, 3, (2, 3, N, N)).astype(np.float32)))
    assert patches.shape == (2, 3, N, N)
    assert patches.dtype == torch.complex64
    assert torch.allclose(patches, torch.tensor(FLAT + 0j), atol=1e-4)


@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_are_finite_at_zero_input(kind):
    network = made(kind)
    intensity(network(torch.zeros(1, 2, 16, 16))).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize("kind", NETWORKS)
def test_patterns_are_seen_one_by_one(kind, amplitudes):
    network = made(kind)
    shaken(network)
    whole = network(amplitudes)
    assert torch.allclose(network(amplitudes[:1, 1:2]), whole[:1, 1:2], atol=1e-5)
    assert not torch.allclose(whole[0, 0], whole[0, 1], atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_parameter_learns(kind, amplitudes):
    network = made(kind)
    shaken(network)
    (network(amplitudes) - 0.3j).abs().square().sum().backward()
    assert all(bool(p.grad.any()) for p in network.parameters())


@pytest.mark.parametrize("kind", NETWORKS)
def test_only_the_middle_of_a_patch_is_predicted(kind, amplitudes):
    network = made(kind)
    shaken(network)
    patches = network(amplitudes).detach()
    outside = torch.ones(16, 16, dtype=torch.bool)
    centre(outside, 10)[:] = False
    assert torch.allclose(patches[..., outside], torch.tensor(FLAT + 0j))
    assert not torch.allclose(patches[..., ~outside], torch.tensor(FLAT + 0j), atol=1e-3)


@pytest.mark.parametrize("kind", NETWORKS)
def test_weights_come_from_the_seed_alone_and_the_global_state_is_untouched(kind):
    before = torch.random.get_rng_state()
    one = made(kind, seed=4).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    done = threading.Event()
    drawing = threading.Thread(target=lambda: [torch.rand(100) for _ in iter(done.is_set, True)])
    drawing.start()
    other = made(kind, seed=4).state_dict()
    done.set()
    drawing.join()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], tensor) for name, tensor in made(kind, seed=5).state_dict().items())


@pytest.mark.parametrize("activation", AMPLITUDES)
def test_an_amplitude_activation_starts_at_the_flat_object(activation):
    assert AMPLITUDES[activation].function(torch.tensor(AMPLITUDES[activation].flat)).item() == pytest.approx(FLAT, abs=1e-4)
    assert made("cnn", amp_activation=activation)(torch.ones(1, 1, 16, 16))[0, 0, 8, 8].abs().item() == pytest.approx(FLAT, abs=1e-4)


def test_every_activation_has_one_name_and_is_a_choice():
    assert len({a.function for a in AMPLITUDES.values()}) == len(AMPLITUDES)
    assert {s.name: s.choices for s in ModelConfig.settings()}["amp_activation"] == tuple(AMPLITUDES)


def test_an_outline_takes_no_memory():
    shapes = {name: t.shape for name, t in outline("global_map", Size(1024, 900, hidden=8192)).state_dict().items()}
    assert shapes["last.weight"] == (2 * 900**2, 8192)  # 53 GB, had they been made


def test_the_first_guess_of_a_flat_object_is_flat_where_the_beam_is():
    probe = beam(32)
    look = BackProjection(32)
    look.set_beam(probe[0])
    photons = diffract(torch.ones(1, 32, 32, dtype=torch.complex64), probe)
    rms = (intensity(probe).sum() / 32**2).sqrt()
    guess = look(photons.sqrt() / rms)
    bright = intensity(probe[0]) > 0.5 * intensity(probe[0]).max()
    assert torch.allclose(guess[0, 0][bright], torch.tensor(1.0), atol=0.05)
    assert torch.allclose(guess[0, 1][bright], torch.tensor(0.0), atol=0.05)


def test_the_global_map_sees_what_tells_patterns_apart(rng):
    network = build_network("global_map", Size(16, 10, hidden=12), 0)
    patterns = torch.from_numpy(rng.uniform(0, 3, (1, 50, 16, 16)).astype(np.float32)) * torch.linspace(1, 9, 16) + 100
    acquaint(network, beam(16), patterns[0].mean(0), patterns[0].std(0))
    seen: list[torch.Tensor] = []
    network.layers.register_forward_pre_hook(lambda _, args: seen.append(args[0][0]))
    network(patterns)
    assert torch.allclose(seen[0].mean(0), torch.tensor(0.0), atol=1e-3)
    assert torch.allclose(seen[0].std(0), torch.tensor(1.0), atol=0.03)


@pytest.mark.parametrize(("width", "inner"), [(16, 10), (9, 4), (8, 8)])
def test_centre_undoes_surround(width, inner):
    image = torch.arange(inner**2, dtype=torch.float32).reshape(1, inner, inner)
    assert torch.equal(centre(surround(image, width, 7.0), inner), image)
    assert surround(image, width, 7.0)[0, width // 2, width // 2] == image[0, inner // 2, inner // 2]


def shaken(network: torch.nn.Module) -> None:
    """Weights away from the zeros they start with."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=draw)
