"""The network that guesses an object from a glimpse of its patterns."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptycho_nb.guess.coarse import CELL
from ptycho_nb.guess.glimpse import BRIGHTNESS, CHANNELS, LARGEST, LIGHT, PHASE, PHASE_SCALE

WIDTHS = (48, 64, 96, 128)  # channels at a cell, two, four, and eight and more
MULTIPLE = 16  # height and width in cells that four halvings need
SMALL_AMPLITUDE, MOST_AMPLITUDE = 0.2, 0.6  # of a change: in proportion to the network's output, and at most
SMALL_PHASE, MOST_PHASE = 0.1, 3.0  # [rad]
IMAGINARY = 6.0  # times the imaginary part of the detail, which is small
SEEN, SCANNED = 0.02, 0.5  # of the most light: where brightness is believed, and where its mean is taken


class GuessNet(nn.Module):
    """A U-Net on cells that changes the amplitude and phase which the glimpse shows directly.

    Fully convolutional: it takes canvases of any size.

    References
    ----------
    Ronneberger, Fischer & Brox, MICCAI 2015; Shi et al., CVPR 2016 (pixel shuffle).
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.down = nn.ModuleList([Block(2 * CELL**2 + CHANNELS, a), Block(a, b), Block(b, c), Block(c, d), Block(d, d)])
        self.up = nn.ModuleList([Block(d + d, d), Block(d + c, c), Block(c + b, b), Block(b + a, a)])
        self.last = nn.Conv2d(a, 2 * CELL**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # before it has learned it changes nothing
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, detail: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Amplitude and phase [rad] (B, H, W) from detail (B, 2, H, W), real and imaginary, and maps (B, CHANNELS, h, w); H = CELL * h."""
        strong = torch.stack([detail[:, 0], IMAGINARY * detail[:, 1]], 1).clamp(-LARGEST, LARGEST)
        x = torch.cat([F.pixel_unshuffle(strong, CELL), maps], 1)
        h, w = x.shape[-2:]
        x, seen = F.pad(x, (0, -w % MULTIPLE, 0, -h % MULTIPLE)), []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x)
            seen.append(x)
        for block, same_scale in zip(self.up, seen[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2), same_scale], 1))
        change = F.pixel_shuffle(self.last(x)[..., :h, :w], CELL).float()
        amplitude, phase = shown(maps)
        amplitude = amplitude + MOST_AMPLITUDE * torch.tanh(SMALL_AMPLITUDE * change[:, 0])
        return amplitude, phase + MOST_PHASE * torch.tanh(SMALL_PHASE * change[:, 1])


class Block(nn.Module):
    """Two convolutions beside a path of one."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(into, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.beside = nn.Conv2d(into, out, 1) if into != out else nn.Identity()
        with torch.no_grad():
            self.second.weight *= 0.3  # nine of them in a row, none normalised

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.beside(x) + self.second(F.gelu(self.first(x))))


def shown(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Amplitude and phase [rad] (B, H, W) that the maps show directly: brightness and integrated tilts, smooth between cells."""
    light, brightness = maps[:, LIGHT], maps[:, BRIGHTNESS]
    scanned = (light > SCANNED).to(maps.dtype)
    mean = (brightness * scanned).sum((1, 2), keepdim=True) / scanned.sum((1, 2), keepdim=True).clamp(min=1)
    both = torch.stack([torch.where(light > SEEN, brightness, mean), maps[:, PHASE] / PHASE_SCALE], 1)
    wide = F.interpolate(both, scale_factor=CELL, mode="bicubic", align_corners=False)
    return wide[:, 0], wide[:, 1]
