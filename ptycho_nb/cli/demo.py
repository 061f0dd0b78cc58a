"""The whole way on a simulated scan, in under a minute, with a picture and a file to keep."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from ptycho_nb.checks import r_factors
from ptycho_nb.cli.outputs import free_names
from ptycho_nb.cli.progress import watched
from ptycho_nb.config import RefinementConfig, TrainingConfig
from ptycho_nb.figures import truth_comparison
from ptycho_nb.history import Control
from ptycho_nb.metrics import compare_objects
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import passes, refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan
from ptycho_nb.training import train

TRAINING = TrainingConfig(epochs=24, time_limit=20)
REFINEMENT = RefinementConfig(epochs=24, time_limit=20)


def demo() -> None:
    """The whole way on a simulated scan; leaves a picture and a result here."""
    begun, control = time.monotonic(), Control()
    picture, file = free_names(Path.cwd(), "ptycho_nb_demo", (".png", ".npz"))
    scan = simulate_scan()
    typer.echo(repr(scan))
    with watched("Training", TRAINING.epochs, control) as watch:
        training = train(scan, TRAINING, **watch._asdict())
    result = reconstruct(training.model, scan)
    typer.echo(f"{result.method}, {training.seconds:.0f} s: {against_truth(result, scan)}")
    if not control.stopping:
        with watched("Fitting", passes(REFINEMENT, scan).epochs, control) as watch:
            result = refine(scan, result, REFINEMENT, **watch._asdict())
        typer.echo(f"{result.method}, {training.seconds + result.seconds:.0f} s: {against_truth(result, scan)}")
    result.save(file)
    truth_comparison(result, scan).save(picture)
    typer.echo(f"Picture: {picture}\nResult:  {file}\nDone in {time.monotonic() - begun:.0f} s.")


def against_truth(result: Reconstruction, scan: Scan) -> str:
    """SSIM and R in words; 1 is a perfect SSIM, and no fit should come far below the R of the noise."""
    assert scan.truth is not None
    scores = compare_objects(result.object, scan.truth, result.scanned)
    likeness = f"SSIM of amplitude {scores.amplitude.ssim:.2f}, of phase {scores.phase.ssim:.2f}"
    return f"{likeness}, R {result.r_factor(scan):.3f} (photon noise alone {r_factors(result, scan)[1]:.3f})"
