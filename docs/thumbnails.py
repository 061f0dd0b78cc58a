"""The pictures of the README's index: a picture that each notebook holds, made small.

    python docs/thumbnails.py

A cell with the tag ``thumbnail`` gives its last picture; where none has it, the first picture of the
notebook is taken.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps

HOME = Path(__file__).parents[1]
SIZE = 320, 220  # px


def pictures(notebook: Path) -> Iterator[tuple[bool, Image.Image]]:
    """Each picture stored in a notebook, and whether its cell is tagged."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        tagged = "thumbnail" in cell["metadata"].get("tags", [])
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                data = base64.b64decode("".join(output["data"]["image/png"]))
                yield tagged, Image.open(io.BytesIO(data)).convert("RGB")


def thumbnail(notebook: Path) -> Image.Image:
    """The picture that stands for a notebook, on white."""
    found = list(pictures(notebook))
    chosen = next((image for tagged, image in reversed(found) if tagged), found[0][1])
    return ImageOps.pad(chosen, SIZE, Image.Resampling.LANCZOS, color="white")


def main() -> None:
    """Write images/NN.png for each notebook."""
    for notebook in sorted((HOME / "notebooks").glob("*.ipynb")):
        thumbnail(notebook).quantize(128).save(HOME / "images" / f"{notebook.stem[:2]}.png", optimize=True)


if __name__ == "__main__":
    main()
