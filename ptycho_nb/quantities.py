"""Numbers and lengths as one writes them: few figures, a handy unit, a true minus."""

from __future__ import annotations

MINUS = "\N{MINUS SIGN}"
LENGTHS = (("mm", 1e-3), ("µm", 1e-6), ("nm", 1e-9), ("Å", 1e-10), ("pm", 1e-12))


def figures(number: float, most: int = 3) -> str:
    """A number in so many figures at most: −0.0123."""
    return f"{number:.{most}g}".replace("-", MINUS)


def count(number: float) -> str:
    """Three figures of a number, written out: 433,000."""
    return f"{float(f'{number:.3g}'):,.0f}" if 10 <= number < 1e7 else f"{number:.3g}"


def number(value: float) -> str:
    """A number for a text: whole ones with thousands apart, others in three figures."""
    whole = float(value).is_integer() and abs(value) < 1e7
    return f"{int(value):,}" if whole else f"{value:.3g}"


def several(count: int, word: str) -> str:
    """So many of something."""
    return f"{number(count)} {word}" if count == 1 else f"{number(count)} {word}s"


def length_unit(pixel_size: float, pixels: float = 1) -> tuple[str, float]:
    """The unit in which so many pixels [m each] are a handy length, and a pixel in that unit."""
    whole = float(f"{pixel_size * pixels:.3g}")  # as it is written: 999.7 nm is 1 µm
    unit, size = next((pair for pair in LENGTHS if whole >= pair[1]), LENGTHS[-1])
    return unit, pixel_size / size


def length(metres: float) -> str:
    """A length in three figures: 16.3 nm."""
    unit, value = length_unit(metres)
    return f"{value:.3g} {unit}"
