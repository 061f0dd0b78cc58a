"""What the explorer's choices are called."""

from __future__ import annotations

A, B, MIXED, MIXED_BACK = "a", "b", "a b", "b a"
OBJECTS = {A: "A", B: "B", MIXED: "amplitude of A, phase of B", MIXED_BACK: "amplitude of B, phase of A"}
GUESSES = {
    "true": "its own, as no detector records it",
    "zero": "zero everywhere",
    "random": "random",
    "other": "that of the other object, same place",
}
EXCHANGES = {MIXED: "amplitude of A, phase of B", MIXED_BACK: "amplitude of B, phase of A", A: "both of A", B: "both of B"}
INTRODUCTION = (
    "Drag the probe over the object, or move it by row and column; the circle holds 90 % of it, the dashed square is its window. "
    "The wave behind the object is probe times object; the detector counts the squared modulus of its Fourier transform, and nothing else."
)
LOST = (
    "The detector counts photons: it has the amplitude of the far field, not its phase. Every wave below gives the very same pattern; "
    "overlap with the neighbouring patterns is what chooses between them."
)
SWAPPED = (
    "Far fields of the whole objects A and B, without a probe: the amplitude of one is joined with the phase of the other and "
    "transformed back. What comes out resembles the object that gave the phase (Oppenheim & Lim, Proc. IEEE 69, 529, 1981)."
)
