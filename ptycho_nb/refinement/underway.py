"""One iterative fit under way: what it began with, its steps, what it has reached."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, fields

import numpy as np
import torch
from numpy.typing import NDArray

from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import History, Preview, State
from ptycho_nb.refinement.course import Passes, opening, passes, rates, reads
from ptycho_nb.refinement.detector import Detector
from ptycho_nb.refinement.fit import Fit
from ptycho_nb.refinement.mend import Mending, lacking, risen, slow_brightness
from ptycho_nb.refinement.priors import prior
from ptycho_nb.refinement.start import (
    Room,
    by_power,
    check_start,
    first_of,
    guessed,
    held_out,
    room,
    settings_behind,
    start_object,
    start_probe,
    support,
    ways,
)
from ptycho_nb.refinement.tilts import Splines
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

BRIEF = 4  # epochs: so short a fit cannot make good again what large steps spoil of its start
FROM_GUESS = 0.03  # greatest step of an object pixel from a guess: it is rough, but nearer than a flat object
LEFT = "The network's guess explains the photons no better than a flat object. The fit began flat."
UNFAIR = "The network's guess would have seen the pixels that are held out. The fit began flat; set Held-out pixels to 0 to begin with it."
RENEWED = 4  # epochs after which the terms of the shift series are chosen anew for the probe as it is
ASKED, PARTS = 128, 16  # patterns, at most, and batches of them, that tell whether a slow phase added at the end costs misfit
BATCH = 64  # patterns judged at once
MENDING = tuple(f.name for f in fields(Mending))


class Run:
    """One fit under way."""

    def __init__(
        self,
        scan: Scan,
        start: Reconstruction | None,
        config: RefinementConfig,
        history: History,
        device: torch.device,
        earlier: Reconstruction | None,
    ) -> None:
        self.passes = _planned(config, scan, earlier)
        self.config = config = config.model_copy(update=self.passes._asdict())
        self.scan, self.history = scan, history
        begin = earlier or start
        self.behind = {} if begin is None else settings_behind(begin)
        if begin is not None:
            check_start(begin, scan)
        self.measured = _measured(scan, start, earlier)
        self.space: Room = room(scan, config, self.measured, begin)
        probe = scan.probe if begin is None else begin.probe
        self.positions = scan.positions if begin is None else begin.positions
        self.method = "Iterative" if begin is None or begin.method == "Iterative" else "Network, then iterative"
        self.judged = held_out(scan, config.holdout, config.seed)
        self.fitted = np.setdiff1d(np.arange(scan.M), self.judged)
        asked = time.monotonic()
        guess = guessed(scan, config, self.fitted) if begin is None else None
        self.guessing = time.monotonic() - asked
        wanted = begin is None and guess is None and config.initial_object == "network"
        self.told = "" if not wanted else UNFAIR if config.held_pixels else LEFT
        first = first_of(begin) if begin is not None else "flat" if guess is None else "network"
        self.config = config = config.model_copy(update={"initial_object": first})
        self.photons = float(np.sum(np.abs(probe) ** 2))
        along, inside = ways(self.measured, config.position_model), support(config.probe_support, scan.N)
        detector = self._detector(device)
        self.fit = Fit(
            detector,
            torch.from_numpy(start_object(self.space, begin or guess, config)).to(device),
            torch.from_numpy(start_probe(probe, config.probe_modes)).to(device),
            torch.from_numpy(self.measured - self.space.origin),
            farthest=config.max_shift,
            ways=None if along is None else torch.from_numpy(along),
            support=None if inside is None else torch.from_numpy(inside).to(device),
            prior=prior(config, scan.positions, photons=detector.photons, patterns=len(self.fitted)),
        )
        self.order = np.array([self.passes.batch_size, config.holdout, config.seed])  # what decides which patterns a step takes
        gentle = config.start_learning_rate * self.passes.epochs / BRIEF
        self.rate = min(config.learning_rate, gentle if start is not None else math.inf if guess is None else FROM_GUESS)
        self.first_step = self.step = 0
        fresh = begin is None or begin.method == "Network"  # a fit is mended once
        self.mending = Mending(mended=not fresh)
        self.per_epoch = math.ceil(len(self.fitted) / self.passes.batch_size)
        if earlier is not None:
            self._take_up(earlier)
        self.before = history.seconds[-1] if history.seconds else 0.0  # by an earlier run, no part of the time limit
        self.total = (self.first_step // self.per_epoch + self.passes.epochs) * self.per_epoch  # an epoch cut short is one of them
        self.epochs = self.total // self.per_epoch
        if config.mend_slow_phase and not self.mending.mended:
            self.mending.opened = opening(self.epochs, flat=self.method == "Iterative")
        self.opening = self.mending.opened / self.epochs  # the share of the run that is its first course

    def _detector(self, device: torch.device) -> Detector:
        return Detector(
            torch.from_numpy(self.scan.intensity).to(device),
            torch.from_numpy(self.scan.mask).to(device),
            loss=self.config.loss,
            fitted=self.fitted,
            reads=reads(self.scan),
            brightness=self.config.refine_brightness,
            background=self.config.refine_background,
            held=self.config.held_pixels,
            seed=self.config.seed,
        )

    def _take_up(self, earlier: Reconstruction) -> None:
        if not np.array_equal(earlier.optimiser["order"], self.order):
            raise InputError("resume_from ran with another batch_size, holdout or seed; keep them, or give it as start instead.")
        self.fit.load_state(earlier.optimiser)
        self.first_step = self.step = int(earlier.optimiser["step"])
        self.photons, self.rate = float(earlier.optimiser["photons"]), float(earlier.optimiser["rate"])
        if (before := earlier.settings.get("refinement", {}).get("learning_rate")) and before != self.config.learning_rate:
            self.rate *= self.config.learning_rate / before
        if "judged" in earlier.optimiser:
            self.fit.detector.judged.copy_(torch.from_numpy(earlier.optimiser["judged"]))
        self.mending = Mending(**{name: earlier.optimiser[name].item() for name in MENDING})
        if earlier.history is not None:
            self.history.take_up(earlier.history)

    def go(self) -> None:
        """Epoch after epoch until the end, a stop, the time limit or a misfit that is not finite."""
        while self.step < self.total:
            epoch, done = divmod(self.step, self.per_epoch)
            order = np.random.default_rng([self.config.seed, 0, epoch]).permutation(self.fitted)
            for chosen in np.array_split(order, self.per_epoch)[done:]:  # alike in size: a small last one would be all noise
                if not self._step(chosen.tolist()):
                    return
                self.step += 1
            self._end_of_epoch()
        self.history.state, self.history.message = State.DONE, self.told

    def _step(self, chosen: list[int]) -> bool:
        """Whether to go on."""
        history, limit = self.history, self.config.time_limit
        if not history.keep_going():
            history.state = State.STOPPED
            return False
        progress = max(
            (self.step + 0.5) / self.total,
            (history.elapsed - self.before - self.guessing) / max(limit - self.guessing, 1e-9) if limit else 0.0,
        )
        if progress >= 1:
            history.state, history.message = State.STOPPED, f"The time limit of {limit:g} s was reached."
            return False
        if self.config.mend_slow_phase and self.mending.due(progress, self.step / self.per_epoch, self.epochs, self.total):
            self._mend()
        step_sizes = rates(self.config, progress, self.rate, self.step, self.opening)
        misfit = self.fit.step(chosen, step_sizes)
        if not math.isfinite(misfit):
            history.diverge(f"The misfit became {misfit}", step_sizes.object)
            return False
        history.record_step("train_loss", misfit)
        return True

    def _mend(self) -> None:
        """Add the slow phase that the patterns' tilts ask for, where they can be believed; a second course begins with it."""
        first, again = not self.mending.mended and self.opening > 0, self.mending.mended
        if self.config.refine_brightness:
            self._give_back()
        slow = lacking(self.scan, self.result(), self.fitted, self.fit.detector.seen(), self.fit.expected)
        if self.mending.settle(slow, self.step / self.per_epoch, self.total):
            turn = torch.polar(torch.ones(slow.phase.shape), torch.from_numpy(slow.phase)).to(self.fit.object.device)
            before = self._sampled() if again else []
            self.fit.object[self.space.crop].mul_(turn)
            if again and risen(before, self._sampled()):
                self.fit.object[self.space.crop].mul_(turn.conj())
                self.mending.added_late = False
        for name in ("object", "probe") if first else ():
            self.fit.movers[name].forget()

    def _give_back(self) -> None:
        """Give the object what a fitted brightness took of its slow amplitude, unless the photons are then explained worse."""
        result, brightness = self.result(), self.fit.detector.movers["brightness"].values
        splines = Splines(result.positions[self.fitted] - result.origin, result.probe, result.canvas.shape)
        slow = slow_brightness(splines, brightness[self.fitted].cpu().numpy().astype(np.float64), result.positions[self.fitted])
        if slow is None:
            return
        before, kept = self._sampled(), (self.fit.object.clone(), brightness.clone())
        self.fit.object[self.space.crop].mul_(torch.from_numpy(np.exp(slow.power / 2)).to(self.fit.object.device))
        brightness[self.fitted] *= torch.from_numpy(np.exp(-slow.taken)).to(brightness)
        if risen(before, self._sampled()):
            self.fit.object.copy_(kept[0])
            brightness.copy_(kept[1])
        else:
            self.mending.returned = True

    def _sampled(self) -> list[float]:
        """Misfits of some patterns, a batch each; what pixels kept out say of them stays as it was noted."""
        some, noted = self.fitted[:: math.ceil(len(self.fitted) / ASKED)], self.fit.detector.judged.clone()
        misfits = [self.fit.misfit(part.tolist()) for part in np.array_split(some, min(PARTS, len(some)))]
        self.fit.detector.judged.copy_(noted)
        return misfits

    def _end_of_epoch(self) -> None:
        steps = [value for _, value in self.history.steps[-self.per_epoch :]]
        metrics = {"train_loss": sum(steps) / len(steps)}
        if len(self.judged):
            metrics["val_loss"] = self._judged()
        elif self.config.held_pixels:
            metrics["val_loss"] = float(self.fit.detector.judged[self.fitted].mean())
        if self.config.refine_positions:
            self.fit.recut()
        elif self.config.refine_probe and (self.step // self.per_epoch) % RENEWED == 0:
            self.fit.renew()
        self.history.record_epoch(**metrics)

    def _judged(self) -> float:
        """Mean misfit of the patterns kept out [a pixel]."""
        parts = [part.tolist() for part in np.split(self.judged, range(BATCH, len(self.judged), BATCH))]
        return sum(len(part) * self.fit.misfit(part) for part in parts) / len(self.judged)

    def preview(self) -> Preview:
        """Object and probe as they are now."""
        return Preview(self._object(), self.space.canvas.origin, self._probe())

    def _object(self) -> NDArray[np.complex64]:
        return np.ascontiguousarray(self.fit.object.cpu().numpy()[self.space.crop] * np.float32(self.fit.detector.gain**0.5) / self._gain())

    def _probe(self) -> NDArray[np.complex64]:
        return by_power(np.asarray((self.fit.probe * self.fit.N).cpu().numpy() * self._gain(), dtype=np.complex64))

    def _gain(self) -> np.float32:
        """What gives the probe back the photons it began with: the data fix only its product with the object."""
        return np.float32(np.sqrt(self.photons / float(self.fit.probe.abs().square().sum())) / self.fit.N)

    def _standing(self) -> dict[str, float]:
        """The numbers that a run which goes on needs, beside the arrays."""
        return {"step": self.step, "photons": self.photons, "rate": self.rate, **asdict(self.mending)}

    def result(self) -> Reconstruction:
        """What the run has reached."""
        where = {name: np.array(value) for name, value in self._standing().items()} | {"order": self.order, "measured": self.measured}
        brightness, background = self.fit.detector.brightness, self.fit.detector.background
        where["rough"] = np.array(self.fit.detector.rough)
        if self.config.held_pixels:
            where["judged"] = self.fit.detector.judged.cpu().numpy()
        moved = self.fit.positions.cpu().numpy().astype(np.float64) + self.space.origin
        return Reconstruction(
            object=self._object(),
            coverage=np.ascontiguousarray(self.fit.coverage().cpu().numpy()[self.space.crop] * self._gain() ** 2),
            probe=self._probe(),
            positions=moved if self.config.refine_positions else self.positions,
            origin=self.space.canvas.origin,
            pixel_size=self.scan.pixel_size,
            method=self.method,
            state=self.history.state,
            history=self.history,
            seconds=self.history.elapsed,
            settings={**self.behind, "refinement": self.config.model_dump(mode="json")},
            name=self.scan.name,
            optimiser={**self.fit.state(), **where},
            brightness=None if brightness is None else brightness.cpu().numpy().astype(np.float64),
            background=None if background is None else background.cpu().numpy(),
        )


def _planned(config: RefinementConfig, scan: Scan, earlier: Reconstruction | None) -> Passes:
    """Epochs and batch size; a fit that goes on keeps the batches it had, unless they are set."""
    planned = passes(config, scan)
    if earlier is None or config.batch_size is not None or "order" not in earlier.optimiser:
        return planned
    return planned._replace(batch_size=int(earlier.optimiser["order"][0]))


def _measured(scan: Scan, start: Reconstruction | None, earlier: Reconstruction | None) -> NDArray[np.float64]:
    """Positions (M, 2) from which corrections are counted: a fit that goes on keeps those it began with."""
    if earlier is None:
        return scan.positions if start is None else start.positions
    stored = earlier.optimiser
    shapes = dict.fromkeys(("step", "photons", "rate", *MENDING), ()) | {"order": (3,), "measured": scan.positions.shape}
    if any(name not in stored or stored[name].shape != shape for name, shape in shapes.items()):
        raise InputError("resume_from is no iterative fit that can go on; give it as start instead.")
    return stored["measured"]
