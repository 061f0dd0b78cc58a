"""Groups of neighbours, what is held out, and the order in which they come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_scan import tiny_scan

from ptycho_nb.config import DataConfig
from ptycho_nb.dataset import Order, held_out, loaders, neighbour_groups, subsample
from ptycho_nb.errors import ConfigError
from ptycho_nb.patches import place, take

GRID = np.stack(np.meshgrid(np.arange(7.0), np.arange(9.0), indexing="ij"), -1).reshape(-1, 2)
ALL = np.arange(len(GRID))


def groups(config: DataConfig, seed: int = 0, positions: np.ndarray = GRID) -> np.ndarray:
    everyone = np.arange(len(positions))
    return neighbour_groups(positions, everyone, everyone, config, np.random.default_rng(seed))


@pytest.mark.parametrize("gridsize", [1, 2, 3, 4])
def test_a_group_is_its_anchor_and_other_patterns_each_once(gridsize):
    found = groups(DataConfig(gridsize=gridsize))
    assert found.shape == (63, gridsize**2)
    assert np.array_equal(found[:, 0], ALL)
    assert all(len(set(group)) == gridsize**2 for group in found)


def test_nearest_groups_hold_the_nearest(rng):
    positions = rng.uniform(0, 10, (40, 2))
    found = groups(DataConfig(gridsize=3), positions=positions)
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    assert np.array_equal(np.sort(found, axis=1), np.sort(np.argsort(distances, axis=1)[:, :9], axis=1))


def test_neighbours_are_drawn_among_the_count_that_is_given():
    config = DataConfig(gridsize=2, neighbor_count=12)
    found = groups(config)
    distances = np.linalg.norm(GRID[found] - GRID[found[:, :1]], axis=-1)
    assert distances.max() > np.sqrt(2)  # farther than the three nearest of a square grid
    assert not np.array_equal(found, groups(config, seed=1))
    assert np.array_equal(found, groups(config))


def test_a_quadrant_group_has_its_neighbours_in_different_quadrants(rng):
    positions = rng.uniform(0, 10, (80, 2))
    found = groups(DataConfig(gridsize=2, grouping="quadrants"), positions=positions)
    inner = np.all((positions > 2) & (positions < 8), axis=1)
    steps = positions[found[inner, 1:]] - positions[found[inner, :1]]
    quadrants = 2 * (steps[..., 0] >= 0) + (steps[..., 1] >= 0)
    assert all(len(set(q)) == 3 for q in quadrants)


def test_patterns_at_one_place_still_make_groups():
    positions = np.repeat(GRID[:6], 3, axis=0)
    found = groups(DataConfig(gridsize=2), positions=positions)
    assert np.array_equal(found[:, 0], np.arange(18))
    assert all(len(set(group)) == 4 for group in found)


def test_an_epoch_is_a_function_of_seed_and_epoch_and_deals_every_group_before_any_again():
    order = Order(10, 4, seed=3)
    epochs = []
    for epoch in range(5):
        order.set_epoch(epoch)
        epochs.append(order())
    assert np.array_equal(np.sort(np.concatenate(epochs)), np.sort(np.tile(np.arange(10), 2)))
    order.set_epoch(2)
    assert np.array_equal(order(), epochs[2])
    assert np.array_equal(Order(10, 4, seed=3, first=2)(), epochs[2])
    assert not np.array_equal(Order(10, 4, seed=4, first=2)(), epochs[2])


def test_no_held_out_pattern_is_in_a_training_group():
    scan = tiny_scan(8, 9)
    train, val = loaders(scan, DataConfig(gridsize=2, validation_fraction=0.2), seed=1)
    held = val.groups[:, 0]
    assert len(held) == round(0.2 * 72)
    assert not np.isin(train.groups, held).any()
    assert not np.isin(val.groups[:, 1:], held).any()
    assert [next(iter(part)).judged for part in (train, val)] == [4, 1]  # in validation the anchor alone, the first


def test_without_a_validation_share_nothing_is_held_out():
    train, val = loaders(tiny_scan(), DataConfig(validation_fraction=0.0))
    assert val is None
    assert len(train.groups) == 42


def test_a_batch_is_the_patterns_and_places_of_its_groups():
    scan = tiny_scan(sub_pixel=True)
    train = loaders(scan, DataConfig(gridsize=2), batch_size=20).train
    batch = train.batch(train.groups[:5])
    members = train.groups[:5].numpy()
    assert batch.intensity.shape == (5, 4, 16, 16)
    assert np.array_equal(batch.intensity.numpy(), scan.intensity[members])
    steps = batch.offsets - batch.offsets[:, :1]
    assert np.allclose(steps, scan.positions[members] - scan.positions[members[:, :1]], atol=1e-5)
    fraction = (batch.offsets.numpy() - scan.positions[members]) % 1
    assert np.allclose(np.minimum(fraction, 1 - fraction), 0, atol=1e-5)  # moved by whole pixels


def test_every_patch_lies_on_the_canvas_of_its_group():
    scan = tiny_scan(sub_pixel=True)
    train = loaders(scan, DataConfig(gridsize=3, neighbor_count=20), batch_size=10_000).train
    batch = train.batch(train.groups)
    ones = torch.ones(len(train.groups), 9, 16, 16, dtype=torch.float64)
    assert place(ones, batch.offsets, batch.canvas).sum().item() == pytest.approx(ones.sum().item(), rel=1e-6)
    assert take(torch.ones(batch.canvas), batch.offsets, 16).allclose(torch.ones(1), atol=1e-5)


def test_an_epoch_reads_each_pattern_about_once_whatever_the_group():
    for gridsize in (1, 2, 3):
        train = loaders(tiny_scan(), DataConfig(gridsize=gridsize, validation_fraction=0), batch_size=10).train
        read = sum(batch.intensity.shape[0] * batch.intensity.shape[1] for batch in train)
        assert 42 <= read < 42 + gridsize**2
        assert len(list(train)) == len(train)


def test_more_groups_than_patterns_are_drawn_several_times():
    train = loaders(tiny_scan(), DataConfig(gridsize=2, n_groups=100, neighbor_count=10), batch_size=8).train
    assert len(train.groups) >= 100
    assert sum(len(batch.intensity) for batch in train) == 100


def test_more_groups_than_patterns_are_different_groups_unasked():
    for data in (DataConfig(gridsize=2, n_groups=150), DataConfig(gridsize=2, n_groups=150, grouping="quadrants")):
        found = loaders(tiny_scan(), data).train.groups
        each = [{frozenset(group) for group in found[found[:, 0] == anchor].tolist()} for anchor in found[:, 0].unique()]
        assert np.mean([len(groups) for groups in each]) > 3  # of four


def test_a_batch_counts_patterns_and_holds_at_least_one_group():
    scan = tiny_scan()
    assert len(next(iter(loaders(scan, DataConfig(gridsize=2), batch_size=32).train)).intensity) == 8
    assert len(next(iter(loaders(scan, DataConfig(gridsize=3), batch_size=4).train)).intensity) == 1


def test_a_resumed_loader_goes_on_where_the_other_stopped():
    train = loaders(tiny_scan(), DataConfig(gridsize=2), batch_size=8).train
    train.sampler.set_epoch(3)
    whole = list(train)
    rest = train.resumed(3, skip=2)
    assert len(rest) == len(whole) - 2
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.intensity, other.intensity)


def test_sequential_sampling_takes_the_first_in_the_order_of_the_scan():
    config = DataConfig(gridsize=1, n_subsample=20, n_groups=8, sequential_sampling=True, validation_fraction=0)
    assert np.array_equal(subsample(42, config, 0), np.arange(20))
    scan = tiny_scan()
    seen = torch.cat([batch.intensity[:, 0] for batch in loaders(scan, config).train])
    assert np.array_equal(seen.numpy(), scan.intensity[:8])


def test_a_random_subsample_is_seeded_and_in_order():
    config = DataConfig(n_subsample=20)
    chosen = subsample(42, config, 5)
    assert np.array_equal(chosen, np.unique(chosen))
    assert np.array_equal(chosen, subsample(42, config, 5))
    assert not np.array_equal(chosen, subsample(42, config, 6))


def test_the_truth_comes_with_the_batch_where_asked():
    scan = tiny_scan()
    train = loaders(scan, DataConfig(gridsize=1), truth=True).train
    batch = train.batch(torch.tensor([[4]]))
    r, c = scan.positions[4].astype(int) - 8
    assert np.allclose(batch.truth[0, 0], scan.truth[r : r + 16, c : c + 16], atol=1e-6)


def test_the_split_leaves_a_group_to_train_on():
    assert held_out(5, DataConfig(gridsize=2, validation_fraction=0.5), 0).sum() == 1


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (DataConfig(gridsize=4, n_subsample=9), "choose at most 3"),
        (DataConfig(gridsize=3, grouping="quadrants"), "quadrants need gridsize 2"),
        (DataConfig(gridsize=3, neighbor_count=4), "at least 8"),
        (DataConfig(n_subsample=1000), "has 42 patterns"),
    ],
)
def test_what_the_scan_cannot_give_is_one_sentence(config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        loaders(tiny_scan(), config)


def test_a_scan_without_truth_cannot_supervise():
    with pytest.raises(ConfigError, match="no known object"):
        loaders(tiny_scan().replace(truth=None), DataConfig(), truth=True)
