"""Training and reconstruction from files to files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from ptycho_nb.checks import checks, r_factors
from ptycho_nb.cli.options import Changes, ConfigFile, Preset, Settings, loaded, settings_from, takes_scan_options
from ptycho_nb.cli.outputs import fresh_file, fresh_folder, whole_folder
from ptycho_nb.cli.progress import watched
from ptycho_nb.cli.scans import tell_findings, told
from ptycho_nb.compare import compare, short
from ptycho_nb.config_file import save_configs
from ptycho_nb.errors import InputError
from ptycho_nb.figures import loss_curves, object_pair
from ptycho_nb.files import write_atomic
from ptycho_nb.history import Control, State
from ptycho_nb.model import PtychoPINN
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import passes, refine
from ptycho_nb.report import ENDINGS, write_report
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan
from ptycho_nb.training import Training, train


class Method(StrEnum):
    """The ways to an object."""

    NETWORK = "network"
    ITERATIVE = "iterative"
    BOTH = "both"
    COMPARE = "compare"


@takes_scan_options
def train_network(
    config: Annotated[Path, typer.Argument(help="Settings file, YAML or JSON; 'ptycho-nb settings' writes one.")],
    scan: Annotated[Path | None, typer.Argument(help="The scan; without one, the settings' simulation.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to make for the model, its history and the object.")] = Path("training"),
    changes: Changes = None,
    *,
    reading: Mapping[str, Any],
) -> int:
    """Train a network on a scan; Ctrl-C stops and keeps."""
    settings = settings_from(config, None, changes)
    folder = fresh_folder(out)
    data = loaded(scan, reading) if scan else simulate_scan(settings.simulation)
    told(data)
    training = trained(data, settings, Control())
    result = seen(training, data, settings)
    with whole_folder(folder) as filling:
        training.save(filling / "model.safetensors")
        write_atomic(filling / "history.json", _json(training.history.to_dict()))
        save_configs(filling / "settings.yaml", *settings)
        result.save(filling / "object.npz")
        if training.history.epochs:  # a run that ended before has no curve
            loss_curves(training.history).save(filling / "loss.png")
        object_pair(result).save(filling / "object.png")
    typer.echo(f"{result!r}\nModel, history, settings and object: {folder}")
    return ended(training.state, training.history.message)


@takes_scan_options
def reconstruct_scan(
    scan: Annotated[Path, typer.Argument(help="The scan.")],
    out: Annotated[Path | None, typer.Option(help="Result file, .npz or .h5; by default named after the scan.")] = None,
    method: Annotated[Method | None, typer.Option(help="The way to the object; iterative, or network where a model is given.")] = None,
    model: Annotated[Path | None, typer.Option(help="A trained model to use, as 'ptycho-nb train' saves it.")] = None,
    config: ConfigFile = None,
    preset: Preset = None,
    changes: Changes = None,
    report: Annotated[Path | None, typer.Option(help="Also write the whole run on one page, .html: pictures, numbers, settings.")] = None,
    *,
    reading: Mapping[str, Any],
) -> int:
    """Object, probe and a picture from a scan; Ctrl-C stops and keeps."""
    settings = settings_from(config, preset, changes)
    file = fresh_file(out or Path(f"{scan.stem}_object.npz"), (".npz", ".h5"))
    picture = fresh_file(file.with_suffix(".png"), (".png",))
    page = fresh_file(report, ENDINGS, option="--report") if report else None
    way = method or (Method.NETWORK if model else Method.ITERATIVE)
    if model and way not in (Method.NETWORK, Method.BOTH):
        raise InputError(f"--method {way} uses no model; leave --model out, or choose network or both.")
    data = loaded(scan, reading)
    told(data)
    result = WAYS[way](data, settings, PtychoPINN.load(model) if model else None, Control())
    result.save(file)
    object_pair(result).save(picture)
    typer.echo(f"{result!r}, R {result.r_factor(data):.4f}, of photon noise alone {r_factors(result, data)[1]:.4f}")
    tell_findings(checks(result, data))
    typer.echo(f"Result:  {file}\nPicture: {picture}")
    if page:
        typer.echo(f"Report:  {write_report(page, result, data, inputs=[scan])}")
    return ended(result.state, result.history.message if result.history else "")


def trained(scan: Scan, settings: Settings, control: Control) -> Training:
    """``train`` with a bar."""
    with watched("Training", settings.training.epochs, control) as watch:
        return train(scan, settings.training, settings.model, settings.data, settings.inference, **watch._asdict())


def seen(training: Training, scan: Scan, settings: Settings) -> Reconstruction:
    """What the trained network makes of the scan; how the training ended is how this ends."""
    result = reconstruct(training.model, scan, settings.inference)
    return result.replace(state=training.state, history=training.history, seconds=training.seconds + result.seconds)


def ended(state: State, message: str) -> int:
    """The exit code; says why, where a run did not reach its end."""
    if state is State.DONE:
        return 0
    typer.echo(f"The run is {state}. {message}".strip(), err=True)
    return int(state in (State.DIVERGED, State.FAILED))


def _network(scan: Scan, settings: Settings, model: PtychoPINN | None, control: Control) -> Reconstruction:
    if model:
        return reconstruct(model, scan, settings.inference)
    return seen(trained(scan, settings, control), scan, settings)


def _iterative(scan: Scan, settings: Settings, model: PtychoPINN | None, control: Control) -> Reconstruction:
    return _fitted(scan, settings, None, control)


def _both(scan: Scan, settings: Settings, model: PtychoPINN | None, control: Control) -> Reconstruction:
    start = _network(scan, settings, model, control)
    return start if control.stopping or start.state is State.DIVERGED else _fitted(scan, settings, start, control)


def _fitted(scan: Scan, settings: Settings, start: Reconstruction | None, control: Control) -> Reconstruction:
    with watched("Fitting", passes(settings.refinement, scan).epochs, control) as watch:
        return refine(scan, start, settings.refinement, **watch._asdict())


def _compared(scan: Scan, settings: Settings, model: PtychoPINN | None, control: Control) -> Reconstruction:
    training, refinement = settings.training, settings.refinement
    flat = passes(refinement, scan).epochs
    with watched("Comparing", training.epochs + flat + short(flat), control) as watch:
        found = compare(
            scan,
            refinement,
            training=training,
            model=settings.model,
            data=settings.data,
            inference=settings.inference,
            **watch._asdict(),
        )
    typer.echo(str(found))
    return found


def _json(content: Any) -> Any:
    text = json.dumps(content, indent=1).encode()

    def write(stream: BinaryIO) -> None:
        stream.write(text)

    return write


WAYS = {Method.NETWORK: _network, Method.ITERATIVE: _iterative, Method.BOTH: _both, Method.COMPARE: _compared}
