"""Tensors with a JSON head in one safetensors file: nothing in it can run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ptycho_nb.errors import InputError
from ptycho_nb.files import open_input, shown, write_atomic

VERSION = 1


class Stored(NamedTuple):
    """What a file held: named tensors and a head of plain JSON."""

    tensors: dict[str, Tensor]
    head: dict[str, Any]

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors called ``name.…``, without that prefix."""
        return {key.removeprefix(f"{name}."): value for key, value in self.tensors.items() if key.startswith(f"{name}.")}


def write_tensors(path: str | os.PathLike[str], kind: str, tensors: Mapping[str, Tensor], head: Mapping[str, Any]) -> None:
    """Write a file of that kind, whole or not at all."""
    whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    marks = {"format": f"ptycho_nb {kind}", "version": str(VERSION), "head": json.dumps(head)}
    data = save(whole, marks)

    def write(stream: BinaryIO) -> None:
        stream.write(data)

    write_atomic(path, write)


def read_tensors(path: str | os.PathLike[str], *kinds: str) -> Stored:
    """What ``write_tensors`` wrote.

    Raises
    ------
    InputError
        No such file, not of one of these kinds, of another version, or cut short.
    """
    open_input(path).close()
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            marks = file.metadata() or {}
            _check(path, marks, kinds)
            return Stored({name: file.get_tensor(name) for name in file.keys()}, dict(json.loads(marks["head"])))  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown(path)} is not a whole file of ptycho_nb ({' or '.join(kinds)}); save it again.") from error


def _check(path: str | os.PathLike[str], marks: Mapping[str, str], kinds: tuple[str, ...]) -> None:
    kind, version = marks.get("format", "a safetensors file of another program"), marks.get("version")
    if kind not in {f"ptycho_nb {k}" for k in kinds}:
        raise InputError(f"{shown(path)} is {kind[:60]!r}; this takes a file that ptycho_nb saved: {' or '.join(kinds)}.")
    if version != str(VERSION):
        raise InputError(
            f"{shown(path)} has format version {str(version)[:20]!r}; this ptycho_nb reads {VERSION}: save it with the same release."
        )


def check_fit(own: Mapping[str, Any], found: Mapping[str, Any], what: str) -> None:
    """Every name is in both, with the same thing under it.

    Raises
    ------
    InputError
        Names the first tensor that does not fit.
    """
    wrong = sorted(set(own) ^ set(found)) or sorted(name for name in own if own[name] != found[name])
    if wrong:
        raise InputError(
            f"{what} does not fit its settings: {len(wrong)} tensors differ, first {wrong[0][:60]!r}; load it with its own settings."
        )


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def fill(module: torch.nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Put stored tensors into a module; every name, shape and type must match.

    Raises
    ------
    InputError
        Names the first tensor that does not fit.
    """
    check_fit(_kinds(module.state_dict()), _kinds(tensors), what)
    if not all(bool(t.isfinite().all()) for t in tensors.values()):
        raise InputError(f"{what} holds NaN or infinite weights; train it again.")
    module.load_state_dict(dict(tensors))
