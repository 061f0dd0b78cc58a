"""Scans from files, made-up ones, and the settings file that everything starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ptycho_nb.checks import checks
from ptycho_nb.cli.options import Changes, ConfigFile, Preset, settings_from, takes_scan_options
from ptycho_nb.cli.outputs import fresh_file
from ptycho_nb.config_file import DIALECTS, save_configs
from ptycho_nb.errors import ScanError
from ptycho_nb.readers import inspect_file, load_scan, save_scan
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan


@takes_scan_options
def info(
    file: Annotated[Path, typer.Argument(help="Any file of arrays: a scan, a result, or a stranger's.")],
    *,
    reading: Mapping[str, Any],
) -> None:
    """List the arrays of a file, what was read and assumed, and what looks wrong."""
    arrays = inspect_file(file)
    widest = max((len(a.name[:40]) for a in arrays), default=0)
    for array in arrays:
        typer.echo(f"  {printable(array.name[:40]):{widest}}  {array.shape!s:20} {array.dtype!s:10} {array.role}".rstrip())
    try:
        scan = load_scan(file, **reading)
    except ScanError as error:
        raise ScanError(f"No scan was read: {error}") from error
    told(scan)


def simulate(
    out: Annotated[Path, typer.Option(help="Scan file to write, .npz or .h5.")] = Path("simulated_scan.npz"),
    config: ConfigFile = None,
    preset: Preset = None,
    changes: Changes = None,
) -> None:
    """Make up a scan whose object is known, and save it."""
    simulation = settings_from(config, preset, changes).simulation
    file = fresh_file(out, (".npz", ".h5"))
    scan = simulate_scan(simulation)
    save_scan(file, scan)
    told(scan)
    typer.echo(f"Scan: {file}")


def settings(
    out: Annotated[Path, typer.Argument(help="Settings file to write, .yaml or .json.")] = Path("settings.yaml"),
    preset: Preset = None,
    changes: Changes = None,
) -> None:
    """Write every setting with its value to a file that can be edited, for --config and train."""
    configs = settings_from(None, preset, changes)
    file = fresh_file(out, DIALECTS)
    save_configs(file, *configs)
    typer.echo(f"Settings: {file}")


def told(scan: Scan) -> None:
    """Say what the scan is, what was assumed to read it, and what looks wrong."""
    typer.echo(printable(repr(scan)))
    for note in scan.notes:
        typer.echo(f"  {printable(note)}")
    for finding in checks(scan):
        typer.echo(f"  {finding.severity}: {printable(str(finding))}")


def printable(text: str) -> str:
    """Text from a file without the characters that steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
