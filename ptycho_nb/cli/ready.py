"""Whether this machine is ready: versions, device, threads, memory, a folder to write to, speed."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import typer

from ptycho_nb import __version__
from ptycho_nb.cli.outputs import is_writable
from ptycho_nb.config import RefinementConfig, SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.machine import device_label, pick_device, threads
from ptycho_nb.memory import memory
from ptycho_nb.metrics import compare_objects
from ptycho_nb.refinement import refine
from ptycho_nb.simulate import simulate_scan

SECONDS = 5.0
LEAST_MEMORY = 2 * 2**30  # bytes
LEAST_SSIM = 0.5  # a working machine passes .8 within the time
PACKAGES = ("torch", "lightning", "numpy", "scipy", "scikit-image", "matplotlib", "pydantic", "h5py", "ipywidgets")


def check() -> int:
    """What this machine gives; ends with "Ready" or what is wrong."""
    for label, value in facts():
        typer.echo(f"{label:<12} {value}")
    available = memory().available
    if available < LEAST_MEMORY:
        raise InputError(f"Only {available / 2**30:.1f} GiB of memory is free; a scan wants at least {LEAST_MEMORY / 2**30:.0f} GiB.")
    if not is_writable(Path.cwd()):
        raise InputError(f"The folder {Path.cwd()} cannot be written to; change to another one.")
    speed, likeness = trial()
    typer.echo(f"{'speed':<12} {speed:,.0f} patterns/s in an iterative fit, 64 x 64 px")
    if likeness < LEAST_SSIM:
        typer.echo(f"Not ready: {SECONDS:.0f} s gave a phase SSIM of {likeness:.2f} only; this machine is too slow or too busy.", err=True)
        return 1
    typer.echo("Ready")
    return 0


def facts() -> Iterator[tuple[str, str]]:
    """What there is, by name."""
    yield "ptycho-nb", __version__
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for package in PACKAGES:
        yield package, metadata.version(package)
    yield "device", device_label(pick_device("auto"))
    yield "threads", str(threads())
    here = memory()
    yield "memory", f"{here.available / 2**30:.1f} of {here.total / 2**30:.1f} GiB free"
    yield "folder", f"{Path.cwd()} ({'writable' if is_writable(Path.cwd()) else 'not writable'})"


def trial() -> tuple[float, float]:
    """Patterns a second and phase SSIM of a short fit on a small simulated scan."""
    scan = simulate_scan(SimulationConfig.preset("quick"))
    result = refine(scan, config=RefinementConfig(epochs=10_000, time_limit=SECONDS))
    assert result.history is not None
    assert scan.truth is not None
    epochs = len(result.history.seconds)
    return epochs * scan.M / result.seconds, compare_objects(result.object, scan.truth, result.scanned).phase.ssim
