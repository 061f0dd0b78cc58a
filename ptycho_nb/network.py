"""Networks: sqrt-normalised amplitudes (B, C, N, N) to complex object patches (B, C, N, N).

Patterns are seen one by one; what makes them agree is the loss. Only the central ``width``
of a patch, where the probe is, is predicted; beyond it a patch is FLAT.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FLAT = 0.75  # an object before anything is known of it
GAIN = 1.5  # first weights are uniform in ±GAIN/√(inputs); 1 learns slower
LEAST_SPREAD = 0.02  # of the greatest: a pixel that hardly varies carries noise


@dataclass(frozen=True)
class Size:
    """What a network is built for: pattern width N, predicted width, and how large to make it."""

    N: int
    width: int
    hidden: int = 768
    n_filters_scale: float = 1.0
    amp_activation: str = "sigmoid"

    def filters(self, count: int) -> int:
        return max(4, round(count * self.n_filters_scale))


def centre(images: Tensor, width: int) -> Tensor:
    """The central square (..., width, width), element [N//2, N//2] at [width//2, width//2]."""
    a = images.shape[-1] // 2 - width // 2
    return images[..., a : a + width, a : a + width]


def surround(images: Tensor, width: int, value: float) -> Tensor:
    """Images in the middle of squares (..., width, width) of ``value``: ``centre`` undoes it."""
    a = width // 2 - images.shape[-1] // 2
    b = width - images.shape[-1] - a
    return F.pad(images, (a, b, a, b), value=value) if a or b else images


class BackProjection(nn.Module):
    """The object as the empty beam's far-field phase would have it: F⁻¹(a · phase) / P, clipped where P is dark.

    A fixed first guess that brings a pattern from the detector to the object's own pixels,
    where a convolution can work on it.
    """

    phase: Tensor
    inverse: Tensor

    def __init__(self, N: int) -> None:
        super().__init__()
        self.register_buffer("phase", torch.ones(N, N, dtype=torch.complex64))
        self.register_buffer("inverse", torch.ones(N, N, dtype=torch.complex64))

    def set_beam(self, beam: Tensor) -> None:
        """Assume this beam, complex (N, N)."""
        far = torch.fft.fft2(torch.fft.ifftshift(beam))
        self.phase.copy_(torch.fft.fftshift(torch.polar(torch.ones_like(far.real), far.angle())))
        bright = beam.abs().square()
        rms = bright.sum().sqrt() / beam.shape[-1]  # amplitudes come with an rms of 1
        self.inverse.copy_(rms * beam.conj() / (bright + 0.02 * bright.max()))

    def forward(self, amplitude: Tensor) -> Tensor:  # (..., N, N) -> (..., 2, N, N)
        wave = torch.fft.ifft2(torch.fft.ifftshift(amplitude.float() * self.phase, dim=(-2, -1)), norm="ortho")
        guess = torch.fft.fftshift(wave, dim=(-2, -1)) * self.inverse
        return torch.stack([guess.real, guess.imag], -3)


class GlobalMap(nn.Module):
    """The middle of the detector to every object pixel through two hidden layers: fast, learns one scan by heart.

    The middle is three quarters of a pattern's width, at most 96 px: beyond it a pattern is nearly dark.

    It sees how far each pixel lies from its mean over the scan, in units of its spread: a
    pattern is mostly the empty beam, and what tells patterns apart is small and far out.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.N, self.width = size.N, size.width
        self.crop = min(size.N, 96, 2 * round(3 * size.N / 8))  # the rim of a pattern is nearly dark
        self.layers = nn.Sequential(
            nn.Linear(self.crop**2, size.hidden),
            nn.GELU(),
            nn.Linear(size.hidden, size.hidden),
            nn.GELU(),
        )
        self.last = nn.Linear(size.hidden, 2 * size.width**2)
        self.register_buffer("mean", torch.zeros(size.N, size.N))
        self.register_buffer("spread", torch.ones(size.N, size.N))

    def set_statistics(self, mean: Tensor, spread: Tensor) -> None:
        """Know each pixel's mean amplitude and standard deviation (N, N) over a scan."""
        self.mean.copy_(mean)
        self.spread.copy_((spread.square() + (LEAST_SPREAD * spread.max()) ** 2 + 1e-12).sqrt())

    def forward(self, amplitude: Tensor) -> Tensor:
        B, C = amplitude.shape[:2]
        seen, mean, spread = (centre(each, self.crop) for each in (amplitude, self.mean, self.spread))
        telling = ((seen - mean) / spread).flatten(2)
        parts = self.last(self.layers(telling)).float()  # (B, C, 2·w²)
        real, imaginary = parts.view(B, C, 2, self.width, self.width).unbind(2)
        return torch.complex(surround(FLAT + real, self.N, FLAT), surround(imaginary, self.N, 0.0))


class ConvNet(nn.Module):
    """Convolutional encoder with two decoders, amplitude and phase, that see the encoder's maps at each scale.

    References
    ----------
    Ronneberger, Fischer & Brox, MICCAI 2015 (encoder, decoder, skips); Cherukara et al.,
    Appl. Phys. Lett. 117, 044103 (2020) (two decoders for ptychography).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.N, self.width = size.N, size.width
        levels = max(1, round(math.log2(size.N)) - 3)  # 64, 128, 256 px: 3, 4, 5 levels
        ladder = [size.filters(128 >> (levels - 1 - i)) for i in range(levels)]  # 64 px: 32, 64, 128
        self.padded = math.ceil(size.width / 2**levels) * 2**levels
        self.look = BackProjection(size.N)
        self.encoder = nn.ModuleList(_convolutions(a, b) for a, b in zip([2, *ladder], ladder, strict=False))
        self.amplitude, self.phase = Decoder(ladder), Decoder(ladder)
        self.activation = AMPLITUDES[size.amp_activation]

    def forward(self, amplitude: Tensor) -> Tensor:
        B, C = amplitude.shape[:2]
        x = centre(self.look(amplitude), self.width).flatten(0, 1)  # (B·C, 2, w, w)
        x = surround(x, self.padded, 0.0).contiguous(memory_format=torch.channels_last)
        seen = []
        for block in self.encoder:
            x = block(x)
            seen.append(x)
            x = F.avg_pool2d(x, 2)
        parts = torch.cat([self.amplitude(x, seen), self.phase(x, seen)], 1).float()
        return _polar(centre(parts, self.width), self.activation, self.N).view(B, C, self.N, self.N)


class Decoder(nn.Module):
    """From the coarsest maps back to one image, each scale joined by the encoder's maps of that scale."""

    def __init__(self, ladder: list[int]) -> None:
        super().__init__()
        into = [ladder[-1], *reversed(ladder)]
        self.blocks = nn.ModuleList(_convolutions(a + b, b) for a, b in zip(into, reversed(ladder), strict=False))
        self.last = nn.Conv2d(ladder[0], 1, 1)

    def forward(self, x: Tensor, seen: list[Tensor]) -> Tensor:
        for block, same_scale in zip(self.blocks, reversed(seen), strict=True):
            x = block(torch.cat([_doubled(x), same_scale], 1))
        return self.last(x)


class FourierNet(nn.Module):
    """A Fourier neural operator: four layers that mix low spatial frequencies, beside a pointwise path.

    References
    ----------
    Li et al., ICLR 2021 (arXiv:2010.08895), eq. 2 and fig. 2.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.N, self.width = size.N, size.width
        channels, modes = size.filters(32), max(1, min(12, size.width // 2))
        self.look = BackProjection(size.N)
        self.lift = nn.Conv2d(2, channels, 1)
        self.spectral = nn.ModuleList(SpectralConv(channels, modes) for _ in range(4))
        self.pointwise = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(4))
        self.last = nn.Conv2d(channels, 2, 1)
        self.activation = AMPLITUDES[size.amp_activation]

    def forward(self, amplitude: Tensor) -> Tensor:
        B, C = amplitude.shape[:2]
        x = self.lift(centre(self.look(amplitude), self.width).flatten(0, 1))  # (B·C, channels, w, w)
        for spectral, pointwise in zip(self.spectral, self.pointwise, strict=True):
            x = x + F.gelu(spectral(x) + pointwise(x))
        return _polar(self.last(x).float(), self.activation, self.N).view(B, C, self.N, self.N)


class SpectralConv(nn.Module):
    """Each low spatial frequency gets its own matrix between channels: a convolution as wide as the image."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.empty(channels, channels, 2 * modes, modes, 2))  # rows of either sign; real, imaginary

    def forward(self, x: Tensor) -> Tensor:  # (n, channels, w, w)
        m, weight = self.modes, torch.view_as_complex(self.weight)
        low = torch.fft.rfft2(x.float(), norm="ortho")
        rows = torch.cat([low[..., :m, :m], low[..., -m:, :m]], -2)
        mixed = torch.einsum("nirc,iorc->norc", rows, weight)
        gap = low.shape[-2] - 2 * m
        full = torch.cat([mixed[..., :m, :], mixed.new_zeros(*mixed.shape[:2], gap, m), mixed[..., m:, :]], -2)
        return torch.fft.irfft2(full, s=x.shape[-2:], norm="ortho")


def _doubled(x: Tensor) -> Tensor:
    """Each pixel four times; the gradient is a plain sum, repeatable on every device."""
    n, channels, h, w = x.shape
    return x[:, :, :, None, :, None].expand(n, channels, h, 2, w, 2).reshape(n, channels, 2 * h, 2 * w)


def _convolutions(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(into, out, 3, padding=1), nn.GELU(), nn.Conv2d(out, out, 3, padding=1), nn.GELU())


def _polar(parts: Tensor, activation: Activation, N: int) -> Tensor:
    """Two maps (n, 2, w, w) as amplitude and phase π·tanh, complex (n, N, N)."""
    amplitude = activation.function(parts[:, 0] + activation.flat)
    phase = math.pi * torch.tanh(parts[:, 1])
    amplitude, phase = surround(amplitude, N, FLAT), surround(phase, N, 0.0)
    return torch.complex(amplitude * phase.cos(), amplitude * phase.sin())


@dataclass(frozen=True)
class Activation:
    """What makes an amplitude of a number, and the number that makes FLAT."""

    function: Callable[[Tensor], Tensor]
    flat: float


AMPLITUDES: dict[str, Activation] = {
    "sigmoid": Activation(torch.sigmoid, 1.0986123),
    "swish": Activation(F.silu, 1.0203512),
    "softplus": Activation(F.softplus, 0.1106465),
    "relu": Activation(F.relu, FLAT),
}


def outline(kind: str, size: Size) -> nn.Module:
    """The network of that kind without memory for its numbers: names, shapes and types alone."""
    with torch.device("meta"):
        return NETWORKS[kind](size)


def build_network(kind: str, size: Size, seed: int) -> nn.Module:
    """The network of that kind with weights drawn from its own generator; it starts as a flat object.

    No global random state is read or changed: the modules are made without storage and
    filled afterwards.
    """
    network = outline(kind, size).to_empty(device="cpu")
    for name, buffer in network.named_buffers():
        buffer.fill_(0 if name.endswith("mean") else 1)
    draw = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        fan_in = parameter[0].numel() if parameter.ndim != 5 else parameter.shape[0]
        bound = GAIN * fan_in**-0.5 if parameter.ndim > 1 else 0.0
        with torch.no_grad():
            parameter.uniform_(-bound, bound, generator=draw)
    for name, part in network.named_modules():
        if name.endswith("last"):
            nn.init.zeros_(part.weight)
    return network


def acquaint(network: nn.Module, probe: Tensor, mean: Tensor, spread: Tensor) -> None:
    """Tell a network of the scan it is for.

    Parameters
    ----------
    probe : complex Tensor, shape (P, N, N)
        Its strongest mode is the beam that a first guess assumes.
    mean, spread : real Tensor, shape (N, N)
        Mean and standard deviation of each pixel's normalised amplitude over the scan.
    """
    beam = probe[probe.abs().square().sum((-2, -1)).argmax()]
    for part in network.modules():
        if isinstance(part, BackProjection):
            part.set_beam(beam)
        elif isinstance(part, GlobalMap):
            part.set_statistics(mean, spread)


NETWORKS: dict[str, Callable[[Size], nn.Module]] = {"global_map": GlobalMap, "cnn": ConvNet, "fourier": FourierNet}
