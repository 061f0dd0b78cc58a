"""The methods paragraph of a paper, made from a run: nothing in it that the run does not say."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ptycho_nb import __version__
from ptycho_nb.checks import r_factors
from ptycho_nb.config import CONFIGS, Config, DataConfig, InferenceConfig, ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.errors import ConfigError
from ptycho_nb.history import State
from ptycho_nb.metrics import overlap, probe_diameter
from ptycho_nb.model import ScanFacts
from ptycho_nb.quantities import length, number, several
from ptycho_nb.refinement.detector import BEYOND
from ptycho_nb.refinement.mend import LATE
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

C = TypeVar("C", bound=Config)

ALIKE = 2.0  # factor in photons a pattern within which another scan's dose is not worth a word
LOSSES = {
    "amplitude": "the squared difference of measured and expected amplitudes (Thibault & Guizar-Sicairos 2012)",
    "poisson": "the negative logarithm of the Poisson likelihood of the photons (Thibault & Guizar-Sicairos 2012)",
}
FIRST = "At first the gradient was that of the squared difference of amplitudes."
DARK = "light where a detector pixel is dark on average was given a bounded cost (Geman & McClure 1987)"
OPTIMISERS = {"adam": "Adam (Kingma & Ba 2015)", "adamw": "AdamW (Loshchilov & Hutter 2019)", "sgd": "stochastic gradient descent"}
ENDS = {
    State.STOPPED: "The run was stopped before its planned end.",
    State.DIVERGED: "The run diverged; its last finite state is reported.",
    State.FAILED: "The run failed; its last state is reported.",
}
REFERENCES = {
    "Bunk et al. 2008": "O. Bunk et al., Ultramicroscopy 108, 481 (2008).",
    "Cherukara et al. 2020": "M. J. Cherukara et al., Appl. Phys. Lett. 117, 044103 (2020).",
    "Geman & McClure 1987": "S. Geman & D. E. McClure, Bull. Int. Stat. Inst. 52, 5 (1987).",
    "Guizar-Sicairos & Fienup 2008": "M. Guizar-Sicairos & J. R. Fienup, Opt. Express 16, 7264 (2008).",
    "Hoidn et al. 2023": "O. Hoidn, A. A. Mishra & A. Mehta, Sci. Rep. 13, 22789 (2023).",
    "Huber 1964": "P. J. Huber, Ann. Math. Stat. 35, 73 (1964).",
    "Kingma & Ba 2015": "D. P. Kingma & J. Ba, Adam: a method for stochastic optimization, ICLR (2015).",
    "Lazić et al. 2016": "I. Lazić, E. G. T. Bosch & S. Lazar, Ultramicroscopy 160, 265 (2016).",
    "Li et al. 2021": "Z. Li et al., Fourier neural operator for parametric partial differential equations, ICLR (2021).",
    "Loshchilov & Hutter 2019": "I. Loshchilov & F. Hutter, Decoupled weight decay regularization, ICLR (2019).",
    "Miao et al. 1998": "J. Miao, D. Sayre & H. N. Chapman, J. Opt. Soc. Am. A 15, 1662 (1998).",
    "Odstrčil et al. 2018": "M. Odstrčil, A. Menzel & M. Guizar-Sicairos, Opt. Express 26, 3108 (2018).",
    "Thibault & Guizar-Sicairos 2012": "P. Thibault & M. Guizar-Sicairos, New J. Phys. 14, 063004 (2012).",
    "Thibault & Menzel 2013": "P. Thibault & A. Menzel, Nature 494, 68 (2013).",
    "Thurman & Fienup 2009": "S. T. Thurman & J. R. Fienup, J. Opt. Soc. Am. A 26, 1008 (2009).",
}


GUESS = "the guess of a network that had learned on simulated scans, made from brightness and centre of mass of the patterns"


def methods_text(result: Reconstruction, scan: Scan | None = None) -> str:
    """A paragraph for a paper: data, method, settings, time and misfit of this run; then its references, a line each.

    Parameters
    ----------
    result : Reconstruction
    scan : Scan, optional
        What it was made from: with it photons and misfit are told too.

    Raises
    ------
    InputError
        The scan has another number of patterns.
    """
    told = sentences(result, scan)
    return "\n".join([" ".join(told), "", "References", *references(told)])


def sentences(result: Reconstruction, scan: Scan | None = None) -> list[str]:
    """The paragraph of ``methods_text``, a sentence each."""
    parts = [*_data(result, scan), *_network(result, scan), *_fit(result), *_end(result), *_misfit(result, scan)]
    return [part for part in parts if part]


def references(told: list[str]) -> list[str]:
    """What these sentences cite, in the order of the alphabet."""
    text = " ".join(told)
    return [source for mark, source in REFERENCES.items() if mark in text]


def stated(result: Reconstruction, kind: type[C]) -> C | None:
    """The config of that kind behind a result; None where the result states none that is one."""
    section = next(name for name, known in CONFIGS.items() if known is kind)
    values = result.settings.get(section)
    try:
        return kind(**values) if isinstance(values, dict) else None
    except (ConfigError, TypeError):
        return None


def _data(result: Reconstruction, scan: Scan | None) -> list[str]:
    """What was measured, and how densely."""
    M, N = len(result.positions), result.probe.shape[-1]
    light = "" if scan is None else f" with {_light(scan.photons)}"
    probe, positions = (result.probe, result.positions) if scan is None else (scan.probe, scan.positions)
    pixel = (
        "The size of an object pixel is not known" if result.pixel_size is None else f"An object pixel is {length(result.pixel_size)} wide"
    )
    masked = 0.0 if scan is None else float(1 - scan.mask.mean())
    return [
        f"The object was reconstructed with ptycho_nb {__version__} from {number(M)} diffraction patterns of {N} × {N} pixels{light}.",
        f"{pixel}; the disk that holds 90 % of the energy of the illumination is {probe_diameter(probe):.3g} px wide.",
        _overlap(overlap(probe, positions)) if M > 1 else "",
        f"Of the detector's pixels {number(100 * masked)} % were masked." if masked else "",
    ]


def _overlap(share: float) -> str:
    if share <= 0:
        return "Neighbouring disks do not overlap."
    return f"Neighbouring disks overlap by {share:.2f} of their diameter (Bunk et al. 2008)."


def _network(result: Reconstruction, scan: Scan | None) -> list[str]:
    """The network and its training."""
    training, model, data = stated(result, TrainingConfig), stated(result, ModelConfig), stated(result, DataConfig)
    if "guess" in result.settings:
        return [f"The object began as {GUESS}."]
    if result.method == "Iterative" or training is None or model is None or data is None:
        return []
    taken = result.history.epochs if result.method == "Network" and result.history is not None else result.settings.get("trained_epochs")
    planned = f"a course of {several(training.epochs, 'epoch')} was planned"
    counted = f"it took {several(taken, 'epoch')}" if isinstance(taken, int) else planned
    rate = f"a greatest step of {training.learning_rate:g}, a weight decay of {training.weight_decay:g} and seed {training.seed}"
    told = [
        *_lesson(training, data, f"{_architecture(model)} was trained {_on(result, scan)}"),
        f"For the training {counted} in batches of {several(training.batch_size, 'pattern')},"
        f" by {OPTIMISERS[training.optimizer]} with {rate}.",
    ]
    if data.validation_fraction:
        told.append(f"A share of {data.validation_fraction:g} of the patterns was held out of the training.")
    inference = stated(result, InferenceConfig)
    if inference is not None:
        told.append("The predicted patches were averaged with the intensity of the probe as weight" + SYNCHRONISED[inference.synchronise])
    return told


def _lesson(training: TrainingConfig, data: DataConfig, trained: str) -> list[str]:
    """What the network was to learn."""
    added = f"The total variation of the patches, weighed by {training.total_variation:g}, was added to it."
    smooth = [added] if training.total_variation else []
    if training.objective == "supervised":
        return [f"{trained}to match the known object; its loss was the squared distance of the patches to it.", *smooth]
    groups = "" if data.C == 1 else f" over groups of {data.C} neighbouring patterns that share one object"
    return [
        f"{trained}without a known object, by having to explain the photons, after PtychoPINN (Hoidn et al. 2023).",
        f"Its loss was {LOSSES[training.loss]}{groups}.",
        *smooth,
    ]


def _architecture(model: ModelConfig) -> str:
    if model.network == "global_map":
        return f"A fully connected network with two hidden layers of {number(model.hidden)} units"
    if model.network == "cnn":
        kind = "A convolutional encoder with a decoder each for amplitude and phase (Cherukara et al. 2020)"
    else:
        kind = "A Fourier neural operator (Li et al. 2021)"
    return f"{kind}, of {model.n_filters_scale:g} times the standard width,"


def _on(result: Reconstruction, scan: Scan | None) -> str:
    """On which patterns, where it can be told."""
    facts = result.settings.get("facts")
    if scan is None or not isinstance(facts, dict):
        return ""
    if facts.get("digest") == ScanFacts.of(scan).digest:
        return "on these patterns, "
    patterns, photons = facts.get("M"), facts.get("photons")
    if not isinstance(patterns, int) or not isinstance(photons, float):
        return "on another scan, "
    apart = not photons / ALIKE < scan.photons < photons * ALIKE
    return f"on another scan of {several(patterns, 'pattern')}{f' with {_light(photons)}' if apart else ''}, "


def _light(photons: float) -> str:
    return f"{number(float(f'{photons:.3g}'))} photons each on average"


def _fit(result: Reconstruction) -> list[str]:
    """The iterative fit."""
    config = stated(result, RefinementConfig)
    if result.method == "Network" or config is None:
        return []
    begun = "From there the" if result.method != "Iterative" else "The"
    epochs = config.epochs if result.history is None else result.history.epochs
    counts = [several(count, word) for count, word in ((epochs, "epoch"), (config.batch_size, "pattern")) if count is not None]
    stored = result.optimiser.get("rate")
    rate = config.learning_rate if stored is None or stored.shape else float(stored)
    told = [
        f"{begun} object was fitted to the photons by minimising {LOSSES[config.loss]}"
        " with analytic gradients (Guizar-Sicairos & Fienup 2008) and Adam (Kingma & Ba 2015).",
        f"The fit took {' in batches of '.join(counts)}, with a greatest step of an object pixel of {rate:.3g} and seed {config.seed}.",
        *([f"It began with {GUESS}."] if config.initial_object == "network" and result.method == "Iterative" else []),
        *_slow_phase(result),
        _probe(result, config),
        _positions(result, config),
        *_detector(result, config),
    ]
    if config.loss == "poisson":
        told.insert(1, f"Residuals of the likelihood beyond {BEYOND:g} standard deviations were bounded (Huber 1964); {DARK}.")
        if bool(result.optimiser.get("rough", np.array(False))):
            told.insert(1, FIRST)
    if config.total_variation and len(np.unique(result.positions, axis=0)) > 1:
        told.insert(1, f"The total variation of the object, at a strength of {config.total_variation:g}, was added to it.")
    if config.holdout:
        told.append(f"A share of {config.holdout:g} of the patterns was kept out of the fit to judge it.")
    return told


def _slow_phase(result: Reconstruction) -> list[str]:
    """Whether one was added on the way."""
    early, late = (bool(result.optimiser.get(name, np.array(False))) for name in ("added", "added_late"))
    times = [several(int(result.optimiser["after"]), "epoch")] if early else []
    times += [f"{LATE:.0%} of the fit"] if late else []
    if not times:
        return []
    when = " and again after ".join(times)
    return [f"After {when} the slow phase that the patterns' centres of mass asked for (Lazić et al. 2016) was added to the object."]


def _probe(result: Reconstruction, config: RefinementConfig) -> str:
    modes = len(result.probe)
    kind = "The probe, of one mode," if modes == 1 else f"The probe, of {modes} incoherent modes (Thibault & Menzel 2013),"
    if not config.refine_probe:
        return f"{kind} was kept as given."
    step = f"a greatest step of {config.probe_learning_rate:g} of its maximum"
    when = f"after a share of {config.probe_start:g} of the fit" if config.probe_start else "from the first step on"
    return f"{kind} was fitted too, {when}, with {step}."


def _positions(result: Reconstruction, config: RefinementConfig) -> str:
    if not config.refine_positions:
        return "The positions were kept as recorded."
    measured = result.optimiser.get("measured")
    moved = ""
    if measured is not None and measured.shape == result.positions.shape:
        moved = f"; they moved by {np.sqrt(np.square(result.positions - measured).sum(1).mean()):.3g} px (root mean square)"
    if config.position_model == "free":
        return f"The positions were fitted too, each free to move {config.max_shift:g} px{moved}."
    together = "by one scale, rotation and shear" if config.position_model == "affine" else "by a smooth drift in the order of the scan"
    return f"The positions were fitted too, all together {together}, none by more than {config.max_shift:g} px{moved}."


def _detector(result: Reconstruction, config: RefinementConfig) -> list[str]:
    """What else was fitted or kept out."""
    told = []
    if config.refine_brightness:
        told.append("The brightness of each pattern was fitted too (Odstrčil et al. 2018).")
        if bool(result.optimiser.get("returned", np.array(False))):
            told.append("What of it was smooth in space, but for a straight ramp, was given to the object.")
    if config.refine_background:
        told.append("One background of photons under all patterns was fitted too (Thurman & Fienup 2009).")
    if config.probe_support is not None:
        told.append(f"The probe was kept to a circle of {config.probe_support:g} of the window's width.")
    if config.held_pixels:
        told.append(f"A share of {config.held_pixels:g} of the pixels of each pattern was kept out of the fit to judge it.")
    return told


def _end(result: Reconstruction) -> list[str]:
    """Time, device, and how the run ended."""
    history = result.history
    device = "" if history is None or not history.device else " on the CPU" if history.device == "cpu" else f" on {history.device}"
    told = []
    if result.method == "Network, then iterative" and history is not None and history.seconds:
        told.append(f"The fit took {history.seconds[-1]:.3g} s{device}.")
    elif result.seconds:
        told.append(f"The run took {result.seconds:.3g} s{device}.")
    return [*told, ENDS.get(result.state, "")]


def _misfit(result: Reconstruction, scan: Scan | None) -> list[str]:
    """R, beside what noise alone leaves."""
    if scan is None or not np.isfinite(result.object).all():
        return []
    found = result.r_factor(scan)
    _, noise = r_factors(result, scan)
    return [
        f"The misfit R, the sum of the absolute differences of the amplitudes over the sum of the measured amplitudes (Miao et al. 1998),"
        f" is {found:.4f}, where photon noise alone gives {noise:.4f}."
    ]


SYNCHRONISED: dict[str, Any] = {
    "always": ", brought to one phase before.",
    "never": ".",
    "auto": ", brought to one phase before unless the photons were then explained clearly worse.",
}
