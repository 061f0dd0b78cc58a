"""What a person gets to read when an input is wrong: one sentence, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FEW = 8  # names: fewer are all listed


class InputError(ValueError):
    """An input that cannot be used: the message says what, where, what is allowed and the way out.

    Front ends show the message and nothing else; the command line exits with 2.
    """


class ConfigError(InputError):
    """A setting outside its range, of the wrong type, or unknown.

    ``problems`` holds a sentence for each field, for front ends that show it beside the field.
    """

    problems: dict[str, str]

    def __init__(self, message: str, problems: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.problems = problems or {}

    @classmethod
    def of(cls, problems: dict[str, str]) -> ConfigError:
        """The error that tells all ``problems``."""
        return cls(" ".join(problems.values()), problems)


class ScanError(InputError):
    """Data that are no ptychographic scan, or a file that cannot be read as one."""


def unknown(kind: str, name: object, allowed: Iterable[str]) -> str:
    """The sentence for a name that does not exist: all that do where they are few, else the nearest.

    Among a few the nearest in spelling may be far in meaning: m for mm.
    """
    names = list(allowed)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5) if len(names) >= FEW else []
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    way_out = f"did you mean {near[0]!r}?" if near else f"allowed: {shown}."
    return f"There is no {kind} {str(name)[:60]!r}; {way_out}"
