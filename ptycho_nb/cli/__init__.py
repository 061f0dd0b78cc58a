"""The command line: the functions of the package, their files and a progress bar; no logic of its own."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import Exit, TyperException
from typer.main import get_command

from ptycho_nb import __version__
from ptycho_nb.cli.demo import demo
from ptycho_nb.cli.options import in_options
from ptycho_nb.cli.ready import check
from ptycho_nb.cli.runs import reconstruct_scan, train_network
from ptycho_nb.cli.scans import info, settings, simulate
from ptycho_nb.cli.shipped import copy_notebooks, open_lab
from ptycho_nb.errors import InputError

DONE, UNEXPECTED, BAD_INPUT, ABORTED = 0, 1, 2, 130

app = typer.Typer(
    help="Ptychography by physics-informed neural networks and by iterative fits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ptycho-nb {__version__}")
        raise Exit


@app.callback()
def everywhere(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Ptychography by physics-informed neural networks and by iterative fits."""


def command(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 an input that cannot be used, 1 anything else."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    if not debug:
        warnings.simplefilter("ignore")
    sys.exit(run([a for a in given if a != "--debug"], debug=debug))


def run(arguments: Sequence[str], *, debug: bool = False) -> int:
    """The exit code of the command line; errors are told in one sentence on stderr."""
    try:
        code = get_command(app).main(args=list(arguments), prog_name="ptycho-nb", standalone_mode=False)
    except TyperException as error:  # options and arguments
        sentence = error.format_message().replace("Value error, ", "").rstrip(".")
        return _say(f"{sentence}. See: ptycho-nb --help", BAD_INPUT, debug)
    except InputError as error:
        return _say(in_options(str(error)), BAD_INPUT, debug)
    except OSError as error:
        return _say(f"{error.filename or 'The file'}: {error.strerror or error}.", BAD_INPUT, debug)
    except MemoryError:
        return _say("There is not enough memory for this; crop or bin the patterns, or choose a smaller object.", UNEXPECTED, debug)
    except Exception as error:
        return _say(f"Unexpected {type(error).__name__}: {error}; --debug shows where.", UNEXPECTED, debug)
    return _say("Aborted.", ABORTED, debug) if code == ABORTED else int(code or DONE)


def _say(sentence: str, code: int, debug: bool) -> int:
    if debug:
        typer.echo(traceback.format_exc(), err=True)
    typer.echo("ptycho-nb: " + " ".join(sentence.split()), err=True)
    return code


COMMANDS = {
    "demo": demo,
    "check": check,
    "info": info,
    "simulate": simulate,
    "settings": settings,
    "train": train_network,
    "reconstruct": reconstruct_scan,
    "notebooks": copy_notebooks,
    "lab": open_lab,
}
for _name, _function in COMMANDS.items():
    app.command(_name)(_function)
