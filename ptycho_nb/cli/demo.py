"""The whole way on a simulated scan, in under a minute, with a picture and a file to keep."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from ptycho_nb.cli.outputs import free_names
from ptycho_nb.cli.progress import watched
from ptycho_nb.config import RefinementConfig, TrainingConfig
from ptycho_nb.figures import object_pair
from ptycho_nb.metrics import compare_objects
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan
from ptycho_nb.training import train

TRAINING = TrainingConfig(epochs=40, time_limit=20)
REFINEMENT = RefinementConfig(epochs=24, time_limit=20)


def demo() -> None:
    """Simulate a scan, train a network on it, refine, and leave a picture and a result file here."""
    begun = time.monotonic()
    picture, file = free_names(Path.cwd(), "ptycho_nb_demo", (".png", ".npz"))
    scan = simulate_scan()
    typer.echo(f"Simulated {scan!r}")
    with watched("Network", TRAINING.epochs) as watch:
        training = train(scan, TRAINING, **watch._asdict())
    start = reconstruct(training.model, scan)
    typer.echo(f"{training.history.seconds[-1]:.0f} s of training: {against_truth(start, scan)}")
    with watched("Network, then iterative", REFINEMENT.epochs) as watch:
        result = refine(scan, start, REFINEMENT, **watch._asdict())
    typer.echo(f"{result.seconds:.0f} s of fitting: {against_truth(result, scan)}")
    result.save(file)
    object_pair(result).save(picture)
    typer.echo(f"Picture: {picture}\nResult:  {file}\nDone in {time.monotonic() - begun:.0f} s.")


def against_truth(result: Reconstruction, scan: Scan) -> str:
    """SSIM and R in words; 1 is a perfect SSIM."""
    assert scan.truth is not None
    scores = compare_objects(result.object, scan.truth, result.scanned)
    return f"SSIM of amplitude {scores.amplitude.ssim:.2f}, of phase {scores.phase.ssim:.2f}, R {result.r_factor(scan):.3f}"
