"""The changes of object and probe: those that no pattern can tell, and two that every pattern tells."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """One control: its field in ``Moves``, its name, the slider's limits where it has one, and what there is to say."""

    field: str
    name: str
    limits: tuple[float, float, float] | None
    sentence: str


FREE = (
    Change(
        "phase",
        "Global phase [rad]",
        (-3.1, 3.1, 0.1),
        "A detector counts photons, and a phase common to all of the object changes none; a region known to be clear fixes it, and a "
        "metric that fits one complex gain takes it off.",
    ),
    Change(
        "scale",
        "Scale (probe: inverse)",
        (0.5, 2.0, 0.05),
        "Only the product of object and probe is seen, so a darker object under a brighter probe is the same wave; the photons of the "
        "empty beam fix it, and the gain of the metric takes it off.",
    ),
    Change(
        "ramp",
        "Phase ramp [detector px]",
        (-4.0, 4.0, 0.25),
        "A linear phase of the object moves each pattern aside, its inverse on the probe moves the beam on the detector back; the measured "
        "centre of the empty beam fixes it, and a metric that fits a plane takes it off.",
    ),
    Change(
        "shift",
        "Object and probe moved [px]",
        (-8, 8, 1),
        "Moved together they give the same wave elsewhere in its window, and the pattern does not tell where; a mark of known place "
        "fixes it, and a metric that registers the two images takes it off.",
    ),
    Change(
        "grid",
        "Periodic function",
        (0.0, 1.0, 0.05),
        "Where all positions lie whole steps apart, each of them sees a function of that period alike, so it may pass from the probe to "
        "the object; no alignment takes it off, but a jittered or spiral path leaves no room for it, as does a known probe.",
    ),
    Change(
        "twin",
        "Twin: turned by 180° and conjugated",
        None,
        "Object and probe so changed, at positions of the other sign, give the conjugated waves, of equal intensity; no alignment takes it "
        "off, but the known sign of the position axes, of the probe's defocus or of the object's phase does.",
    ),
    Change(
        "mirror",
        "Mirror: upside down",
        None,
        "Object, probe and positions upside down give patterns upside down, and the photons do not say from which end the detector's rows "
        "were read; no alignment takes it off, but a test object of known handedness does.",
    ),
)
RULED_OUT = (
    Change(
        "object_shift",
        "Object alone moved [px]",
        (-8, 8, 1),
        "With probe and positions left where they are, each pattern is of another piece of the object: the misfit rises.",
    ),
    Change(
        "conjugate",
        "Object alone conjugated",
        None,
        "With the probe left as it is the waves are others, not the conjugated ones: the misfit rises.",
    ),
)
