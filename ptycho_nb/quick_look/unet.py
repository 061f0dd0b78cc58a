"""The network that finishes a quick look: maps of an object (B, CHANNELS, H, W) to what is to be added (B, 2, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 10
WIDTHS = (32, 64, 96)  # channels at a half, a quarter, and an eighth and less of the object's resolution
MULTIPLE = 16  # height and width are to be multiples of this


class FinishingNet(nn.Module):
    """A U-Net on squares of two by two pixels: three times coarser and back, residual blocks on the way.

    Fully convolutional: it takes objects of any size.

    References
    ----------
    Ronneberger, Fischer & Brox, MICCAI 2015; Shi et al., CVPR 2016 (pixel shuffle).
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.down = nn.ModuleList([Block(4 * CHANNELS, a), Block(a, b), Block(b, c), Block(c, c)])
        self.up = nn.ModuleList([Block(c + c, c), Block(c + b, b), Block(b + a, a)])
        self.last = nn.Conv2d(a, 8, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # before it has learned it adds nothing
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        x, seen = F.pixel_unshuffle(maps, 2), []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x)
            seen.append(x)
        for block, same_scale in zip(self.up, seen[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2), same_scale], 1))
        return F.pixel_shuffle(self.last(x), 2)


class Block(nn.Module):
    """Two convolutions beside a path of one."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(into, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.beside = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.beside(x) + self.second(F.gelu(self.first(x))))
