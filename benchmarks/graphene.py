"""The lattice of graphene in an object that another program simulated.

    python graphene.py ducky_abtem64.npz

A multislice simulation of 4D-STEM, pixel 0.625 Å, is fitted from its known probe. The first-order
peaks of graphene, 2.13 Å, must stand clear of their ring in the power spectrum of the phase.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
from measure import machine, one_thread, table

from ptycho_nb import RefinementConfig, load_scan, refine

PIXEL, SPACING = 0.625, 2.13  # Å
WIDTH = 0.02  # half-width of the ring over its radius; the scan's own raster of 8 px peaks 5 % away
SIX = np.pi / 3 * np.arange(6)


class Ring(NamedTuple):
    """Fourier pixels on the first-order ring: direction [rad], spacing [Å], power."""

    angle: np.ndarray
    spacing: np.ndarray
    power: np.ndarray


def first_order(phase: np.ndarray) -> Ring:
    """The ring of a phase image [rad]."""
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in phase.shape))
    padded = [4 * n for n in phase.shape]
    power = np.abs(np.fft.fft2((phase - np.average(phase, weights=window)) * window, s=padded)) ** 2
    down, across = np.fft.fftfreq(padded[0])[:, None], np.fft.fftfreq(padded[1])
    spacing = PIXEL / np.maximum(np.hypot(down, across), 1e-9)
    on = np.abs(SPACING / spacing - 1) < WIDTH
    return Ring(np.broadcast_to(np.arctan2(down, across), on.shape)[on], spacing[on], power[on])


def six_fold(ring: Ring, reach: float = np.deg2rad(4)) -> np.ndarray:
    """The greatest power within 4° of each of six directions 60° apart, turned to where they are strongest together."""
    best = np.zeros(6)
    for turn in np.arange(0, np.pi / 3, np.deg2rad(1)):
        apart = np.abs(np.angle(np.exp(1j * (ring.angle[:, None] - turn - SIX))))
        peaks = np.where(apart < reach, ring.power[:, None], 0).max(0)
        best = max(best, peaks, key=lambda p: float(np.log(p + 1e-30).sum()))
    return best


def main() -> None:
    """Print the ratio of the peaks to the ring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", help="ducky_abtem64.npz")
    parser.add_argument("--epochs", type=int, help="left out: as many as suit the scan")
    parser.add_argument("--free-probe", action="store_true", help="fit the probe too")
    parser.add_argument("--quick", action="store_true", help="see that it works: four epochs")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    scan = load_scan(arguments.scan)
    epochs = 4 if arguments.quick else arguments.epochs
    found = refine(scan, config=RefinementConfig(epochs=epochs, refine_probe=arguments.free_probe))
    phase = np.angle(found.object[found.scanned] * np.exp(-1j * np.angle(found.object[found.scanned].sum())))
    ring = first_order(phase)
    median = np.median(ring.power)
    greatest = f"{ring.power.max() / median:,.0f} at {ring.spacing[ring.power.argmax()]:.2f} Å"
    six = ", ".join(f"{peak / median:,.0f}" for peak in six_fold(ring))
    head = ["epochs", "R", "greatest peak over the ring's median", "six peaks 60° apart over the ring's median"]
    print("\n" + table(head, [[epochs, f"{found.r_factor(scan):.4f}", greatest, six]]))


if __name__ == "__main__":
    main()
