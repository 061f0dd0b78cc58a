"""Scans from files, made-up ones, and the settings file that everything starts from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ptycho_nb.checks import Finding, checks
from ptycho_nb.cli.options import Changes, ConfigFile, Preset, in_options, loaded, settings_from, takes_scan_options
from ptycho_nb.cli.outputs import fresh_file
from ptycho_nb.config_file import DIALECTS, save_configs
from ptycho_nb.model import PtychoPINN
from ptycho_nb.readers import ArrayInfo, inspect_file, open_arrays, own_values, save_scan
from ptycho_nb.result import FORM, Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan

LONGEST_NAME = 40
MODEL_SUFFIX = ".safetensors"


@takes_scan_options
def info(
    file: Annotated[Path, typer.Argument(help="Any file of arrays: a scan, a result, or a stranger's.")],
    *,
    reading: Mapping[str, Any],
) -> None:
    """What a file holds, what was assumed to read it, and what looks wrong."""
    if file.suffix == MODEL_SUFFIX:
        typer.echo(json.dumps(PtychoPINN.load(file).settings(), indent=2))
        return
    form = form_of(file)
    tell_arrays(inspect_file(file), with_roles=form != FORM)
    if form == FORM:
        result = Reconstruction.load(file)
        typer.echo(printable(repr(result)))
        tell_findings(checks(result))
    else:
        told(loaded(file, reading))


def tell_arrays(arrays: list[ArrayInfo], with_roles: bool) -> None:
    """A line for each array: name, shape, type and the role it seems to have."""
    widest = max((len(a.name[:LONGEST_NAME]) for a in arrays), default=0)
    for a in arrays:
        line = f"  {printable(a.name[:LONGEST_NAME]):{widest}}  {a.shape!s:20} {a.dtype!s:10} {a.role if with_roles else ''}"
        typer.echo(line.rstrip())


def form_of(file: Path) -> str:
    """What ptycho_nb wrote into the file; empty for a stranger's."""
    with open_arrays(file) as source:
        return str((own_values(source) or {}).get("format", ""))


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
    """Write a file of all settings, to edit and to give to train."""
    configs = settings_from(None, preset, changes)
    file = fresh_file(out, DIALECTS, option=None)
    save_configs(file, *configs)
    typer.echo(f"Settings: {file}")


def told(scan: Scan) -> None:
    """Say what the scan is, what was assumed to read it, and what looks wrong."""
    typer.echo(printable(repr(scan)))
    for note in scan.notes:
        typer.echo(f"  {printable(note)}")
    tell_findings(checks(scan))


def tell_findings(findings: Iterable[Finding]) -> None:
    """A line for each thing that looks wrong."""
    for finding in findings:
        typer.echo(f"  {finding.severity}: {in_options(printable(str(finding)))}")


def printable(text: str) -> str:
    """Text from a file without the characters that steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
