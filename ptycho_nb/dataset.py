"""Groups of overlapping patterns, and loaders that hand them out a batch at a time.

A group is an anchor, always its first member, and neighbours that must agree with it on
one object. Held-out patterns are never in a training group: a validation group is one
held-out anchor among training neighbours, and only the anchor's photons are judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from ptycho_nb.config import DataConfig
from ptycho_nb.errors import ConfigError
from ptycho_nb.patches import take
from ptycho_nb.scan import Scan

Indices = NDArray[np.int64]
Positions = NDArray[np.float64]

BORDER = 2  # canvas pixels beyond the outermost patch, for the cubic kernel
WIDE = 4  # groups' worth of nearest patterns to draw from, where the nearest alone will not do
SPLIT, GROUPS, SUBSAMPLE, ORDER = range(4)  # one random stream for each use of a seed


class Batch(NamedTuple):
    """B groups of C patterns.

    Attributes
    ----------
    intensity : float32, shape (B, C, N, N)
        Measured photons.
    mask : bool, shape (N, N)
        True where a pixel is judged.
    judged : int
        The first so many patterns of each group are judged: all of them, or the anchor alone.
    offsets : float32, shape (B, C, 2)
        Patch centres (row, col) [px] on the group's own canvas.
    canvas : (int, int)
        Shape of that canvas, the same for all groups: it fits the widest.
    truth : complex64, shape (B, C, N, N), or None
        The known object in each patch.
    """

    intensity: Tensor
    mask: Tensor
    judged: int
    offsets: Tensor
    canvas: tuple[int, int]
    truth: Tensor | None = None


class Order:
    """Which groups an epoch takes, and in what order: a function of seed and epoch alone.

    The groups are dealt like cards: each is taken once before any is taken twice. A
    Trainer calls ``set_epoch`` with its own count; ``first`` is the epoch of a resumed
    run's zero.
    """

    def __init__(self, pool: int, size: int, seed: int | None, first: int = 0) -> None:
        self.pool, self.size, self.seed, self.first = pool, size, seed, first
        self.epoch = first

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration deals."""
        self.epoch = self.first + epoch

    def __call__(self) -> Indices:
        start = self.epoch * self.size
        rounds = range(start // self.pool, (start + self.size - 1) // self.pool + 1)
        dealt = np.concatenate([self._round(r) for r in rounds])
        return dealt[start - rounds[0] * self.pool :][: self.size]

    def _round(self, number: int) -> Indices:
        if self.seed is None:
            return np.arange(self.pool)
        return np.random.default_rng([self.seed, ORDER, number]).permutation(self.pool)


@dataclass
class GroupLoader:
    """Batches of groups, indexed whole from tensors in memory: a dataloader for any Trainer.

    Iterating gives the batches of ``sampler.epoch``, the first ``skip`` left out.

    Attributes
    ----------
    intensity : float32, shape (M, N, N)
    positions : float64, shape (M, 2)
    groups : int64, shape (G, C)
    mask : bool, shape (N, N)
    judged : int
        The first so many patterns of each group are judged.
    canvas : (int, int)
    batch_groups : int
        Groups in a batch.
    sampler : Order
    truth : complex64, shape (H, W), or None
        The known object, where batches are to bring it.
    """

    batch_sampler: ClassVar[None] = None  # a Trainer asks
    intensity: Tensor
    positions: Tensor
    groups: Tensor
    mask: Tensor
    judged: int
    canvas: tuple[int, int]
    batch_groups: int
    sampler: Order
    truth: Tensor | None = None
    skip: int = 0

    def __len__(self) -> int:
        return -(-self.sampler.size // self.batch_groups) - self.skip

    def __iter__(self) -> Iterator[Batch]:
        order = torch.from_numpy(self.sampler())
        for chosen in torch.split(order, self.batch_groups)[self.skip :]:
            yield self.batch(self.groups[chosen])

    def batch(self, members: Tensor) -> Batch:
        """The batch of groups given by their members (B, C)."""
        B, C = members.shape
        N = self.intensity.shape[-1]
        patterns = self.intensity.index_select(0, members.flatten().to(self.intensity.device)).view(B, C, N, N)
        positions = self.positions[members]
        middle = (positions.amin(1, keepdim=True) + positions.amax(1, keepdim=True)).div(2).round()
        offsets = positions - middle + torch.tensor(self.canvas).div(2, rounding_mode="floor")
        truth = None if self.truth is None else take(self.truth, positions.to(self.truth.device, torch.float32), N)
        return Batch(patterns, self.mask, self.judged, offsets.float().to(patterns.device), self.canvas, truth)

    def resumed(self, epoch: int, skip: int = 0) -> GroupLoader:
        """The same batches from ``epoch`` on, less ``skip`` batches."""
        sampler = Order(self.sampler.pool, self.sampler.size, self.sampler.seed, epoch)
        return replace(self, sampler=sampler, skip=skip)


class Loaders(NamedTuple):
    """Training and validation batches of one scan; no validation where nothing is held out."""

    train: GroupLoader
    val: GroupLoader | None


def loaders(scan: Scan, config: DataConfig, *, batch_size: int = 64, seed: int = 0, truth: bool = False, device: str = "cpu") -> Loaders:
    """The loaders of a scan.

    Parameters
    ----------
    batch_size : int
        Patterns in a batch; rounded down to whole groups, at least one.
    seed : int
        Decides the subsample, what is held out, the groups and their order.
    truth : bool
        Batches bring the known object's patches.
    device : str
        Where the patterns are kept.

    Raises
    ------
    ConfigError
        The scan has too few patterns for such groups, or no known object.
    """
    if truth and scan.truth is None:
        raise ConfigError("TrainingConfig.objective is 'supervised', but the scan has no known object; choose 'unsupervised'.")
    used = subsample(scan.M, config, seed)
    _check(len(used), scan.M, config)
    held = held_out(len(used), config, seed)
    training, holding = used[~held], used[held]
    draw = np.random.default_rng([seed, GROUPS])
    copies = max(1, -(-(config.n_groups or 0) // len(training)))
    groups = neighbour_groups(scan.positions, np.tile(training, copies), training, config if copies == 1 else _varied(config), draw)
    if config.sequential_sampling and config.n_groups:
        groups = groups[: config.n_groups]
    judged = neighbour_groups(scan.positions, holding, training, config, draw)
    order = Order(len(groups), config.n_groups or -(-len(training) // config.C), None if config.sequential_sampling else seed)
    train = GroupLoader(
        intensity=torch.from_numpy(scan.intensity).to(device),
        positions=torch.from_numpy(scan.true_positions if truth and scan.true_positions is not None else scan.positions),
        groups=torch.from_numpy(groups),
        mask=torch.from_numpy(scan.mask).to(device),
        judged=config.C,
        canvas=group_canvas(scan.positions, np.concatenate([groups, judged]), scan.N),
        batch_groups=max(1, batch_size // config.C),
        sampler=order,
        truth=torch.from_numpy(scan.truth).to(device) if truth and scan.truth is not None else None,
    )
    if not len(judged):
        return Loaders(train, None)
    every = Order(len(judged), len(judged), None)
    return Loaders(train, replace(train, groups=torch.from_numpy(judged), judged=1, sampler=every))


def _check(used: int, M: int, config: DataConfig) -> None:
    if config.gridsize != 2 and config.grouping == "quadrants":
        raise ConfigError(
            f"DataConfig.grouping is 'quadrants' with gridsize {config.gridsize}; quadrants need gridsize 2: set it, or choose 'nearest'."
        )
    if config.n_subsample is not None and config.n_subsample > M:
        raise ConfigError(
            f"DataConfig.n_subsample is {config.n_subsample}, but the scan has {M} patterns; choose at most {M} or leave it empty."
        )
    if used < config.C:
        largest = int(used**0.5)
        raise ConfigError(
            f"DataConfig.gridsize is {config.gridsize}: a group of {config.C}, but there are {used} patterns; choose at most {largest}."
        )
    if config.neighbor_count is not None and config.neighbor_count < config.C - 1:
        raise ConfigError(
            f"DataConfig.neighbor_count is {config.neighbor_count}; a group of {config.C} needs at least {config.C - 1} to draw from."
        )


def _varied(config: DataConfig) -> DataConfig:
    """Room to draw in: an anchor that comes several times is to have other neighbours each time."""
    return config.replace(neighbor_count=config.neighbor_count or WIDE * config.C)


def subsample(M: int, config: DataConfig, seed: int) -> Indices:
    """The patterns used, ascending: all, the first, or a seeded choice."""
    if config.n_subsample is None or config.n_subsample >= M:
        return np.arange(M)
    if config.sequential_sampling:
        return np.arange(config.n_subsample)
    return np.sort(np.random.default_rng([seed, SUBSAMPLE]).choice(M, config.n_subsample, replace=False))


def held_out(M: int, config: DataConfig, seed: int) -> NDArray[np.bool_]:
    """Which patterns are held out: a seeded share, never so many that no group is left."""
    held = np.zeros(M, dtype=bool)
    count = min(round(config.validation_fraction * M), M - config.C)
    held[np.random.default_rng([seed, SPLIT]).permutation(M)[: max(0, count)]] = True
    return held


def neighbour_groups(positions: Positions, anchors: Indices, pool: Indices, config: DataConfig, draw: np.random.Generator) -> Indices:
    """Groups (G, C) of pattern indices: each anchor with C - 1 neighbours from ``pool``.

    Parameters
    ----------
    positions : float64, shape (M, 2)
    anchors : int, shape (G,)
    pool : int
        The patterns that may be neighbours; an anchor is never its own.
    """
    C = config.C
    if C == 1 or not len(anchors):
        return anchors.reshape(-1, 1) if C == 1 else np.empty((0, C), dtype=np.int64)
    default = C - 1 if config.grouping == "nearest" else WIDE * C
    K = min(max(config.neighbor_count or default, C - 1), len(pool) - 1)
    near = pool[cKDTree(positions[pool]).query(positions[anchors], k=K + 1)[1]]  # (G, K + 1), nearest first
    own = near == anchors[:, None]
    own[:, -1] |= ~own.any(1)  # an anchor outside the pool has one neighbour too many
    rank = draw.random(near.shape) if config.neighbor_count else np.tile(np.linspace(0, 1, K + 1), (len(near), 1))
    rank[own] = np.inf
    if config.grouping == "quadrants":
        rank = _quadrants_first(positions[near] - positions[anchors][:, None], rank, draw)
    chosen = np.argsort(rank, axis=1, kind="stable")[:, : C - 1]
    return np.concatenate([anchors[:, None], np.take_along_axis(near, chosen, 1)], axis=1)


def _quadrants_first(steps: Positions, rank: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.float64]:
    """Ranks (G, K) in which one neighbour of each quadrant, quadrants in random order, goes before all others."""
    quadrant = 2 * (steps[..., 0] >= 0) + (steps[..., 1] >= 0)
    turns = np.argsort(draw.random((len(rank), 4)), axis=1)
    rank = rank.copy()
    for q in range(4):
        inside = np.where(quadrant == q, rank, np.inf)
        first, there = inside.argmin(1), np.isfinite(inside.min(1))
        rank[np.flatnonzero(there), first[there]] = turns[there, q] - 4.0
    return rank


def group_canvas(positions: Positions, groups: Indices, N: int) -> tuple[int, int]:
    """Shape of the least canvas that holds every group's patches."""
    spread = np.ptp(positions[groups], axis=1).max(0)
    rows, columns = (int(np.ceil(s)) + N + 2 * BORDER for s in spread)
    return rows, columns
