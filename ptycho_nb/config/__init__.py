"""The settings of every step, each declared once.

From one ``setting(...)`` line come the check, the error sentence, the form control, the
command-line option and the documentation. Configs are frozen; ``replace`` gives a new one.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ptycho_nb.config.setting import NO_UNIT, TOLD, Config, Setting, setting

__all__ = [
    "CONFIGS",
    "NO_UNIT",
    "Config",
    "DataConfig",
    "InferenceConfig",
    "ModelConfig",
    "RefinementConfig",
    "Setting",
    "SimulationConfig",
    "TrainingConfig",
    "ViewConfig",
    "setting",
]


class SimulationConfig(Config):
    """The experiment that ``simulate_scan`` makes up."""

    PRESETS: ClassVar = {
        "quick": {"height": 160, "width": 176, "overlap": 0.72},
        "standard": {},
        "best": {"height": 384, "width": 416, "overlap": 0.75},
    }

    object: Literal["lines", "dead_leaves", "gaussian_field", "siemens_star", "picture"] = setting(
        "picture", "What is being looked at", label="Object"
    )
    probe: Literal["disk", "gaussian", "zone_plate"] = setting(
        "zone_plate", "What illuminates it; zone_plate is a defocused lens with a central stop", label="Probe"
    )
    scan: Literal["raster", "jittered", "spiral", "random"] = setting(
        "jittered", "The path of the probe; spiral is a Fermat spiral", label="Scan path"
    )
    N: int = setting(64, "Width of a diffraction pattern and of the probe window, even", label="Pattern width", unit="px", ge=16, le=1024)
    height: int = setting(232, "Object rows", label="Object height", unit="px", ge=32, le=8192)
    width: int = setting(256, "Object columns", label="Object width", unit="px", ge=32, le=8192)
    overlap: float = setting(
        0.70, "Linear overlap: 1 - step / (diameter that holds 90 % of the probe's energy)", label="Overlap", ge=0.0, le=0.95
    )
    nphotons: float = setting(1e6, "Mean photons in a pattern where the object is clear", label="Photons per pattern", unit="photons", ge=1, le=1e12, log=True)
    probe_diameter: float = setting(24.0, "Diameter that holds 90 % of the probe's energy", label="Probe diameter", unit="px", ge=2, le=512, advanced=True)
    defocus: float = setting(1.0, "Quadratic phase at the rim of the lens, of the disk, or of 90 % of the Gaussian", label="Defocus", unit="waves", ge=-20, le=20, advanced=True)
    central_stop: float = setting(0.4, "Width of the lens's central stop over its own", label="Central stop", ge=0, le=0.9, advanced=True)
    astigmatism: float = setting(0.0, "Astigmatic phase at the rim of the lens of a zone_plate", label="Astigmatism", unit="waves", ge=-5, le=5, advanced=True)
    coma: float = setting(0.0, "Coma phase at the rim of the lens of a zone_plate", label="Coma", unit="waves", ge=-5, le=5, advanced=True)
    probe_modes: int = setting(1, "Mutually incoherent modes of the probe", label="Probe modes", ge=1, le=16, advanced=True)
    mode_decay: float = setting(0.3, "Power of each further mode over that of the one before", label="Mode decay", ge=0.01, le=1, advanced=True)
    jitter: float = setting(0.2, "Random offset of a jittered raster over its step, either way", label="Jitter", ge=0, le=0.5, advanced=True)
    amplitude_min: float = setting(0.5, "Least transmission of the object; the greatest is 1", label="Least amplitude", ge=0, le=1, advanced=True)
    phase_range: float = setting(2.0, "Greatest minus least phase of the object", label="Phase range", unit="rad", ge=0, le=6.2, advanced=True)
    position_error: float = setting(0.0, "Standard deviation of the error in the positions that the scan reports", label="Position error", unit="px", ge=0, le=20, advanced=True)
    probe_error: float = setting(0.0, "Relative error of the defocus in the probe that the scan reports", label="Probe error", ge=-1, le=1, advanced=True)
    beamstop: float = setting(0.0, "Radius of the beamstop, masked in the scan", label="Beamstop", unit="px", ge=0, le=64, advanced=True)
    pixel_size: float | None = setting(1e-8, "Width of an object pixel; empty: the scan states none", label="Pixel size", unit="m", ge=1e-13, le=1e-3, log=True, advanced=True)
    seed: int = setting(0, "Makes the scan repeatable", label="Seed", ge=0, le=2**31 - 1, advanced=True)

    @field_validator("N")
    @classmethod
    def _even(cls, N: int) -> int:
        if N % 2:
            raise PydanticCustomError(TOLD, "it must be even, as {less} or {more}", {"less": N - 1, "more": N + 1})
        return N


class DataConfig(Config):
    """How patterns are grouped, and which are kept for validation."""

    gridsize: int = setting(
        4, "A group holds gridsize² overlapping patterns that must agree on one object", label="Group grid", ge=1, le=4
    )
    grouping: Literal["nearest", "quadrants"] = setting(
        "nearest", "Neighbours drawn among the nearest, or one from each quadrant round the anchor (gridsize 2)", label="Grouping"
    )
    neighbor_count: int | None = setting(
        None, "Nearest patterns from which an anchor's neighbours are drawn; empty: as many as it needs, or 4 gridsize² for quadrants and for more groups than patterns", label="Neighbours", unit="patterns", ge=1, le=256, advanced=True
    )
    n_groups: int | None = setting(None, "Groups an epoch, each pattern in turn the anchor; empty: as many as read each pattern once", label="Groups", unit="groups", ge=1, le=10_000_000, advanced=True)
    n_subsample: int | None = setting(None, "Patterns used; empty: all", label="Patterns used", unit="patterns", ge=1, le=10_000_000, advanced=True)
    sequential_sampling: bool = setting(
        False, "Take the first groups and patterns in the order of the scan instead of a random choice", label="In scan order", advanced=True
    )
    validation_fraction: float = setting(0.05, "Share of the patterns held out for validation", label="Validation share", ge=0, le=0.5)

    @property
    def C(self) -> int:
        """Patterns in a group."""
        return self.gridsize**2


class ModelConfig(Config):
    """The network."""

    network: Literal["global_map", "cnn", "fourier"] = setting(
        "global_map",
        "global_map is fast, learns one scan and sees the middle three quarters of a pattern, at most 96 px; cnn is a convolutional encoder with two decoders; fourier mixes in frequency space",
        label="Network",
    )
    amp_activation: Literal["sigmoid", "swish", "softplus", "relu"] = setting(
        "sigmoid", "Last step of the amplitude decoder of cnn and fourier", label="Amplitude activation", advanced=True
    )
    n_filters_scale: float = setting(1.0, "Width of cnn and fourier over the standard one", label="Filters scale", ge=0.125, le=8, log=True, advanced=True)
    hidden: int = setting(768, "Width of the hidden layers of global_map", label="Hidden width", unit="units", ge=8, le=8192, log=True, advanced=True)


class TrainingConfig(Config):
    """How long and how hard to train."""

    PRESETS: ClassVar = {"quick": {"epochs": 25}, "standard": {}, "best": {"epochs": 300}}

    epochs: int = setting(110, "Passes over the patterns", label="Epochs", unit="epochs", ge=1, le=10_000)
    batch_size: int = setting(64, "Patterns in a step: as many whole groups of gridsize² as fit, at least one group", label="Batch size", unit="patterns", ge=1, le=4096, log=True)
    learning_rate: float = setting(1e-3, "Greatest step size of the optimiser", label="Learning rate", ge=1e-7, le=1.0, log=True)
    loss: Literal["amplitude", "poisson"] = setting("amplitude", "Noise model of the detector; poisson for weak patterns", label="Loss")
    objective: Literal["unsupervised", "supervised"] = setting(
        "unsupervised", "Explain the photons, or match the known object of a simulated scan", label="Objective"
    )
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "auto is CUDA where there is one, else the CPU", label="Device")
    time_limit: float | None = setting(None, "Stop and keep the result after this long; empty: no limit", label="Time limit", unit="s", ge=0.1, le=1e6)
    seed: int = setting(0, "Makes a run repeatable", label="Seed", ge=0, le=2**31 - 1)
    optimizer: Literal["adam", "adamw", "sgd"] = setting("adamw", "Rule of the step; with adam the weight decay is part of the gradient, which does harm: set it to 0", label="Optimiser", advanced=True)
    weight_decay: float = setting(0.01, "Pull of the weights to zero", label="Weight decay", ge=0, le=1, advanced=True)
    scheduler: Literal["constant", "warmup_cosine", "plateau", "exponential"] = setting(
        "warmup_cosine", "Course of the learning rate", label="Learning-rate course", advanced=True
    )
    warmup: float = setting(0.15, "Share of the steps in which warmup_cosine rises", label="Warm-up", ge=0, le=0.9, advanced=True)
    gradient_clip: float | None = setting(1.0, "Greatest norm of the gradient; empty: no limit", label="Gradient clip", ge=1e-6, le=1e6, log=True, advanced=True)
    early_stop: int | None = setting(None, "Stop after this many epochs without a better validation loss; empty: never", label="Patience", unit="epochs", ge=1, le=10_000, advanced=True)
    precision: Literal["auto", "float32", "bfloat16"] = setting("auto", "Numbers inside the network; physics stays float32. auto is bfloat16 where the processor multiplies it by itself, which is faster", label="Precision", advanced=True)
    total_variation: float = setting(0.0, "Weight of the total variation of the object patches in the loss", label="Total variation", ge=0, le=100, advanced=True)


class InferenceConfig(Config):
    """How patches become one object."""

    PRESETS: ClassVar = {"quick": {"synchronise": "never"}, "standard": {}, "best": {}}

    batch_size: int = setting(256, "Patterns predicted at once", label="Batch size", unit="patterns", ge=1, le=65_536, log=True)
    synchronise: Literal["auto", "always", "never"] = setting(
        "auto", "Bring patches to one phase before they are averaged; auto does so unless the photons are then explained clearly worse", label="Synchronise phases"
    )


class RefinementConfig(Config):
    """The iterative fit of object, probe and positions to the photons."""

    PRESETS: ClassVar = {
        "quick": {"epochs": 8},
        "standard": {"epochs": 32},
        "best": {},
    }

    epochs: int | None = setting(None, "Passes over the patterns; empty: as many as read each object pixel about 350 times", label="Epochs", unit="epochs", ge=1, le=10_000)
    batch_size: int | None = setting(None, "Patterns in a step; empty: 16 to 64, by the length of the run and the size of the scan, more from 33,000 patterns on", label="Batch size", unit="patterns", ge=1, le=4096, log=True, advanced=True)
    learning_rate: float = setting(0.06, "Greatest step of an object pixel, from a flat start", label="Learning rate", ge=1e-5, le=10, log=True)
    loss: Literal["poisson", "amplitude"] = setting("poisson", "Noise model of the detector. poisson takes residuals beyond three standard deviations for errors of the model, and a dark pixel's rare light for noise in part; amplitude is the squared difference of the roots", label="Loss")
    initial_object: Literal["auto", "flat", "network"] = setting("flat", "What a fit without a start begins with: a flat object, or the guess of a network that learned on simulated scans, for patterns of 64 x 64 pixels, from which steps are at most 0.03; auto and network begin flat where the guess explains the photons no better and where pixels are held out, auto also at other widths", label="Begin with", advanced=True)
    refine_probe: bool = setting(True, "Fit the probe too", label="Refine probe")
    probe_modes: int | None = setting(None, "Incoherent probe modes; empty: as many as the scan brings", label="Probe modes", ge=1, le=16)
    refine_positions: bool = setting(False, "Fit the positions too", label="Position correction")
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "auto is CUDA where there is one, else the CPU", label="Device")
    time_limit: float | None = setting(None, "Stop and keep the result after this long; empty: no limit", label="Time limit", unit="s", ge=0.1, le=1e6)
    seed: int = setting(0, "Order of the patterns", label="Seed", ge=0, le=2**31 - 1, advanced=True)
    start_learning_rate: float = setting(0.015, "Greatest step of an object pixel in a fit of four epochs from a given object; longer fits take more in proportion, up to the learning rate", label="Learning rate from a start", ge=1e-5, le=10, log=True, advanced=True)
    probe_learning_rate: float = setting(0.03, "Greatest step of a probe pixel over the probe's maximum", label="Probe learning rate", ge=1e-6, le=1, log=True, advanced=True)
    probe_start: float = setting(0.0, "Share of the run before the probe and positions move", label="Probe start", ge=0, le=1, advanced=True)
    position_learning_rate: float = setting(0.1, "Greatest step of a position, or of each number that drift and affine have", label="Position learning rate", unit="px", ge=1e-5, le=1, log=True, advanced=True)
    max_shift: float = setting(3.0, "Farthest a position may move", label="Greatest shift", unit="px", ge=0.01, le=64, advanced=True)
    warmup: float = setting(0.15, "Share of the steps in which the learning rate rises", label="Warm-up", ge=0, le=0.9, advanced=True)
    start_amplitude: float = setting(0.75, "Amplitude of the flat start", label="Start amplitude", ge=0.01, le=10, advanced=True)
    position_model: Literal["free", "drift", "affine"] = setting(
        "free", "What corrected positions may do: free moves each by itself; drift moves all smoothly in the order of the scan; affine changes scale, rotation and shear", label="Position model", advanced=True
    )
    refine_brightness: bool = setting(False, "Fit the brightness of each pattern, for a beam that fluctuates; a steady rise or fall over the field cannot be told from the object's", label="Brightness of each pattern", advanced=True)
    refine_background: bool = setting(False, "Fit one background of photons under all patterns", label="Background", advanced=True)
    probe_support: float | None = setting(None, "Diameter of the circle outside which the probe is zero, over the window's width; empty: no limit", label="Probe support", ge=0.05, le=1.5, advanced=True)
    mend_slow_phase: bool = setting(True, "After the first epochs of a fit from flat or from a network, and near its end, add the slow phase that the patterns' centres of mass ask for, where half of the patterns foretell the other half; and give the object what of a fitted brightness is smooth in space", label="Mend slow phase", advanced=True)
    total_variation: float = setting(0.25, "Pull of neighbouring pixels to each other, in proportion to the photon noise; 0: none. More suits objects with sharp edges", label="Total variation", ge=0, le=100, advanced=True)
    holdout: float = setting(0.0, "Share of well-covered patterns kept out of the fit to judge it", label="Held-out share", ge=0, le=0.5, advanced=True)
    held_pixels: float = setting(0.0, "Share of the detector pixels, others in each pattern, kept out of the fit to judge it; unlike whole patterns they also judge fitted positions and brightness", label="Held-out pixels", ge=0, le=0.5, advanced=True)


class ViewConfig(Config):
    """How an object is shown and exported."""

    amplitude_map: Literal["gray", "viridis"] = setting("gray", "Colours of the amplitude, dark to bright", label="Amplitude colours")
    phase_map: Literal["auto", "twilight", "RdBu_r", "gray", "viridis"] = setting(
        "auto",
        "auto takes twilight, a closed circle from -π to π, where the phase wraps, and RdBu_r, symmetric about zero, where it is small or unwrapped. In X-ray transmission the phase is negative where matter is",
        label="Phase colours",
    )
    remove_ramp: bool = setting(
        False, "Take off the linear phase that the data leave free: the plane through most of the scanned region", label="Remove ramp"
    )
    unwrap: bool = setting(False, "Undo the jumps of 2π, where the phase runs on smoothly between them", label="Unwrap")
    twin: bool = setting(
        False, "Turn by 180° and conjugate. Object and probe so changed fit as well where both axes of the positions are reversed too; known stage directions exclude it. In X-ray transmission the right one has negative phase where matter is", label="Show the twin"
    )
    crop: Literal["covered", "scanned", "all"] = setting(
        "covered", "covered is what was well lit, scanned the box round the probe centres, all the whole canvas", label="Crop to"
    )
    amplitude_low: float | None = setting(None, "Amplitude drawn darkest; empty: the 0.1 % point of the scanned region", label="Amplitude from", ge=-1e6, le=1e6, advanced=True)
    amplitude_high: float | None = setting(None, "Amplitude drawn brightest; empty: the 99.9 % point of the scanned region", label="Amplitude to", ge=-1e6, le=1e6, advanced=True)
    phase_low: float | None = setting(None, "Phase at the low end of the colours; empty: by the scanned region", label="Phase from", unit="rad", ge=-1e6, le=1e6, advanced=True)
    phase_high: float | None = setting(None, "Phase at the high end of the colours; empty: by the scanned region", label="Phase to", unit="rad", ge=-1e6, le=1e6, advanced=True)

    @field_validator("amplitude_high", "phase_high")
    @classmethod
    def _above_the_low_end(cls, high: float | None, info: ValidationInfo) -> float | None:
        low = info.data.get(str(info.field_name).replace("high", "low"))
        if high is not None and low is not None and high <= low:
            raise PydanticCustomError(TOLD, "it must lie above {low}, or be empty", {"low": str(info.field_name).replace("high", "low")})
        return high


CONFIGS: dict[str, type[Config]] = {
    "simulation": SimulationConfig,
    "data": DataConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
    "inference": InferenceConfig,
    "refinement": RefinementConfig,
}
