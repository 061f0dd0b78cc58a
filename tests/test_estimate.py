import importlib
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_scan import tiny_scan

from ptycho_nb import ConfigError, Control, DataConfig, ModelConfig, RefinementConfig, TrainingConfig, reconstruct, refine, train
from ptycho_nb.estimate import Estimate, estimate, memory_needed
from ptycho_nb.estimate.pace import LARGE
from ptycho_nb.scan import Scan

PACE = importlib.import_module("ptycho_nb.estimate.pace")  # the package shows the function of that name
GROUPED = DataConfig(gridsize=2, validation_fraction=0.1)
SMALL = ModelConfig(hidden=16)
FACTOR = 2.0  # either way, between memory measured and told


def test_an_estimate_of_a_fit_counts_its_steps():
    scan = tiny_scan(9, 10)
    found = estimate(scan, refinement=RefinementConfig(epochs=7, batch_size=32, holdout=0.1))
    assert (found.steps_per_epoch, found.steps) == (math.ceil(81 / 32), 21)
    assert found.seconds > 20 * found.seconds_per_step > 0


def test_an_estimate_of_a_training_counts_its_steps():
    scan = tiny_scan(9, 10)
    config = TrainingConfig(epochs=5, batch_size=16)
    found = estimate(scan, training=config, data=GROUPED, model=SMALL)
    one = train(scan, config.replace(epochs=1), SMALL, GROUPED)
    assert found.steps_per_epoch == len(one.history.steps)
    assert found.steps == 5 * found.steps_per_epoch
    assert found.seconds > found.steps * found.seconds_per_step * 0.9


def test_both_methods_are_added_up():
    scan, fit = tiny_scan(9, 10), RefinementConfig(epochs=3)
    both = estimate(scan, training=TrainingConfig(epochs=2), model=SMALL, refinement=fit)
    assert both.steps == estimate(scan, training=TrainingConfig(epochs=2), model=SMALL).steps + estimate(scan, refinement=fit).steps
    assert math.isfinite(both.seconds)


def test_longer_runs_take_longer():
    brief, long = (estimate(tiny_scan(9, 10), refinement=RefinementConfig(epochs=epochs)) for epochs in (10, 10_000))
    assert long.seconds > 50 * brief.seconds


def test_a_time_limit_is_the_most_a_run_takes():
    limited = RefinementConfig(epochs=10_000, time_limit=1.0)
    scan = tiny_scan(9, 10)
    assert estimate(scan, refinement=limited).seconds < 0.5 * estimate(scan, refinement=limited.replace(time_limit=None)).seconds


def test_of_a_large_scan_a_part_is_timed(monkeypatch):
    seen: list[int] = []
    monkeypatch.setattr(PACE, "LARGE", 1000)
    monkeypatch.setattr(PACE, "refine", lambda scan, **rest: seen.append(scan.M) or refine(scan, **rest))
    monkeypatch.setattr(PACE, "train", lambda scan, *rest, **more: seen.append(scan.M) or train(scan, *rest, **more))
    scan = tiny_scan(30, 30)
    found = estimate(
        scan,
        refinement=RefinementConfig(batch_size=8, epochs=2),
        training=TrainingConfig(batch_size=16, epochs=1),
        model=SMALL,
        data=GROUPED,
    )
    assert LARGE > 1000
    assert all(M < 500 for M in seen)
    assert found.steps == 2 * math.ceil(900 / 8) + found.steps_per_epoch


def test_an_estimate_changes_no_later_run():
    scan, config = tiny_scan(6, 7), TrainingConfig(epochs=2, batch_size=16, seed=3)
    alone, fitted = train(scan, config, SMALL, GROUPED), refine(scan, config=RefinementConfig(epochs=2))
    estimate(scan, training=config, model=SMALL, data=GROUPED, refinement=RefinementConfig(epochs=2))
    after, again = train(scan, config, SMALL, GROUPED), refine(scan, config=RefinementConfig(epochs=2))
    for name, weights in alone.model.state_dict().items():
        assert torch.equal(weights, after.model.state_dict()[name])
    np.testing.assert_array_equal(fitted.object, again.object)


def test_an_estimate_leaves_the_kernel_as_found():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads(), torch.is_grad_enabled()
    scan = tiny_scan()
    intensity = scan.intensity.copy()
    estimate(scan, training=TrainingConfig(epochs=1), model=SMALL, data=GROUPED, refinement=RefinementConfig(epochs=1))
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == before[2:]
    np.testing.assert_array_equal(intensity, scan.intensity)


def test_a_stopped_estimate_says_so():
    control = Control()
    control.stop()
    found = estimate(tiny_scan(), training=TrainingConfig(), control=control)
    assert math.isnan(found.seconds)
    assert found.words == "no estimate: it was stopped"


def test_a_stop_from_another_thread_ends_an_estimate_within_a_step(monkeypatch):
    control, counts, heard = Control(), [], PACE.Watch.on_train_batch_end

    def stopped(watch, *given):
        if len(watch.steps) == 1:  # in the second of eleven steps
            other = threading.Thread(target=control.stop)
            other.start()
            other.join()
        heard(watch, *given)
        counts.append(len(watch.steps))

    monkeypatch.setattr(PACE.Watch, "on_train_batch_end", stopped)
    estimate(tiny_scan(9, 10), training=TrainingConfig(epochs=1000), control=control)
    assert counts[-1] in (2, 3)


def test_what_cannot_run_cannot_be_estimated():
    with pytest.raises(ConfigError, match="gridsize"):
        estimate(tiny_scan(2, 4), data=DataConfig(gridsize=4))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than 1 s here"),
        (4.4, "about 4 s here"),
        (41.7, "about 40 s here"),
        (170, "about 3 min here"),
        (2.2 * 3600, "about 2.2 h here"),
        (30 * 3600, "about 30 h here"),
    ],
)
def test_a_time_is_said_as_one_would_say_it(seconds, words):
    assert Estimate(seconds, 1, 1, seconds, 10, 20).words == words


def test_short_memory_is_told_with_the_way_out():
    found = Estimate(41.0, 1, 1, 41.0, 3 << 30, 2 << 30)
    assert not found.fits
    assert (
        found.words == "about 40 s here. It needs about 3 GiB of memory and 2 GiB are free: crop or bin the patterns, or use fewer of them."
    )


def test_more_patterns_need_more_memory():
    small, large = tiny_scan(6, 7), tiny_scan(30, 40)
    assert memory_needed(large) > memory_needed(small)
    assert memory_needed(small, refinement=RefinementConfig(probe_modes=8)) > memory_needed(small, refinement=RefinementConfig())


@pytest.mark.parametrize("network", ["global_map", "cnn", "fourier"])
def test_larger_batches_of_a_training_need_more_memory(network):
    model, config = ModelConfig(network=network), TrainingConfig(batch_size=16)
    least = memory_needed(tiny_scan(), training=config, model=model)
    assert memory_needed(tiny_scan(), training=config.replace(batch_size=2048), model=model) > 1.2 * least


CASES = ("fit 3000 64 6", "fit 1500 64 20", "fit 500 128 6", "global_map 1500 64 6", "cnn 300 64 6", "fourier 300 64 6")


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux")
@pytest.mark.parametrize("case", CASES)
def test_memory_needed_is_what_is_used(case):
    here = Path(__file__)
    path = os.pathsep.join([str(here.parent), str(here.parents[1])])
    command = [sys.executable, str(here), *case.split()]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    used, told = (int(word) for word in done.stdout.split()[-2:])
    assert used / FACTOR < told < FACTOR * used


def made(M: int, N: int, step: float) -> Scan:
    """M equal patterns of a Gaussian beam, on a raster."""
    side = math.ceil(M**0.5)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)[:M] * step + N
    v, u = np.mgrid[:N, :N] - N // 2
    beam = np.exp(-(u**2 + v**2) / (2 * (N / 10) ** 2) + 0.02j * (u**2 + v**2))
    beam *= 1e3 / np.linalg.norm(beam)
    far = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(beam), norm="ortho"))
    intensity = np.empty((M, N, N), dtype=np.float32)
    intensity[:] = np.abs(far) ** 2
    return Scan(intensity, grid + np.random.default_rng(0).random(grid.shape), beam[None].astype(np.complex64))


def kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def measure(kind: str, M: int, N: int, step: float) -> None:
    """Run it, and print the bytes that it used at its peak beside the scan, and those that were told."""
    fit = RefinementConfig(epochs=1)
    training, model = TrainingConfig(epochs=1, time_limit=2), ModelConfig(network="global_map" if kind == "fit" else kind)

    def run(scan: Scan) -> None:
        if kind == "fit":
            refine(scan, config=fit)
        else:
            reconstruct(train(scan, training, model).model, scan)

    run(tiny_scan())  # libraries are loaded
    scan = made(M, N, step)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
    before = kilobytes("VmRSS")
    run(scan)
    told = memory_needed(scan, refinement=fit) if kind == "fit" else memory_needed(scan, training=training, model=model)
    sys.stdout.write(f"{1024 * (kilobytes('VmHWM') - before)} {told}\n")


if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
