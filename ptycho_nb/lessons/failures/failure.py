"""A failure as a case: its symptom, its runs, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.checks import Finding, checks
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control
from ptycho_nb.lessons.failures.diagnostics import Attempt, Diagnostic, Reading, over_noise
from ptycho_nb.lessons.failures.trial import Trial
from ptycho_nb.metrics import Aligned, align
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

Complex = NDArray[np.complex128]

STOPPED = "It was stopped before the run could be judged; start it again."


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a run of a case.

    Attributes
    ----------
    scan : Scan
    result : Reconstruction
    reading : Reading
        Of the case's diagnostic.
    crossed : bool
        Whether it is beyond its threshold.
    over_noise : float
        R over the R of photon noise alone.
    findings : list of Finding
        What ``checks`` says of the scan and of the result.
    pair : Aligned
        The object brought onto the truth, inside the region that every run of the case covers.
    """

    scan: Scan
    result: Reconstruction
    reading: Reading
    crossed: bool
    over_noise: float
    findings: list[Finding]
    pair: Aligned

    @property
    def phase_error(self) -> float:
        """Mean absolute difference of the phase from the truth's [rad]."""
        return float(np.abs(np.angle(self.pair.object * self.pair.truth.conj())).mean())

    @property
    def amplitude_error(self) -> float:
        """Mean absolute difference of the amplitude from the truth's."""
        return float(np.abs(np.abs(self.pair.object) - np.abs(self.pair.truth)).mean())

    @property
    def shown(self) -> Complex:
        """The object (h, w) to look at: as in ``pair``, its mean intensity the truth's.

        The gain of least squares would fade what does not resemble the truth.
        """
        power = [np.square(np.abs(one)).mean() for one in (self.pair.truth, self.pair.object)]
        return np.asarray(self.pair.object * np.sqrt(power[0] / max(power[1], 1e-30)))

    @property
    def loss(self) -> float:
        """The loss of the last epoch, a pixel."""
        history = self.result.history
        return history["train_loss"][-1] if history is not None and history["train_loss"] else float("nan")


@dataclass(frozen=True)
class Failure:
    """A way to fail, on a small simulated scan.

    Attributes
    ----------
    title : str
    symptom : str
        What is seen, one sentence.
    why : str
        Why it happens, two sentences.
    remedy : str
        What the cure changes, one sentence.
    diagnostic : Diagnostic
        The number that tells it.
    bad, good : Trial
        The run that fails, and the cure.
    """

    title: str
    symptom: str
    why: str
    remedy: str
    diagnostic: Diagnostic
    bad: Trial
    good: Trial

    def show(self, control: Control | None = None) -> Outcome:
        """Run the failure and judge it.

        Raises
        ------
        InputError
            It was stopped, or left numbers that are none.
        """
        return self.judged(self.bad, control)

    def cure(self, control: Control | None = None) -> Outcome:
        """Run the cure and judge it.

        Raises
        ------
        InputError
            It was stopped, or left numbers that are none.
        """
        return self.judged(self.good, control)

    def judged(self, trial: Trial, control: Control | None = None) -> Outcome:
        """What comes of a trial, by this case's diagnostic."""
        control = control or Control()
        scan = trial.scan()
        result = trial.reconstruct(scan, control)
        _go_on(control)
        reading = self.diagnostic.measure(Attempt(scan, result, trial.fitted, control))
        _go_on(control)
        assert scan.truth is not None  # a simulation knows it
        return Outcome(
            scan=scan,
            result=result,
            reading=reading,
            crossed=self.diagnostic.crossed(reading.number),
            over_noise=over_noise(result, scan),
            findings=[*checks(scan), *checks(result, scan)],
            pair=align(result.object, scan.truth, trial.region),
        )


def _go_on(control: Control) -> None:
    if control.stopping:
        raise InputError(STOPPED)
