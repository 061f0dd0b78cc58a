"""``python -m ptycho_nb`` and ``ptycho-nb``."""

from __future__ import annotations

import sys

import ptycho_nb


def main() -> None:
    """Run the command line; where torch is missing, say so in one sentence."""
    try:
        command = ptycho_nb.command
    except ImportError as error:
        sys.exit(f"ptycho-nb: {error}")
    command()


if __name__ == "__main__":
    main()
