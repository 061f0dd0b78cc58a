"""Training runs: repeatable, resumable, stoppable, and leaving no trace."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import warnings

import lightning as L
import numpy as np
import pytest
import torch
from tiny_scan import tiny_scan

from ptycho_nb import Control, History, State
from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, TrainingConfig
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.training import Training, train
from ptycho_nb.training import run as course

SMALL = ModelConfig(hidden=12)
SCAN = tiny_scan()


def run(epochs: int = 3, *, data: DataConfig | None = None, **more: object) -> Training:
    passed = {name: more.pop(name) for name in ("listener", "control", "resume_from", "callbacks") if name in more}
    config = TrainingConfig(epochs=epochs, batch_size=8, **more)
    resumed = "resume_from" in passed
    return train(SCAN, config, None if resumed else SMALL, data if resumed else data or DataConfig(gridsize=2), **passed)


def same_weights(one: Training, other: Training) -> bool:
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Watch(L.Callback):
    """What a trainer was given."""

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.module, self.optimizer = pl_module, trainer.optimizers[0]
        self.rates: list[float] = []
        self.loaders = trainer.train_dataloader, trainer.val_dataloaders

    def on_train_batch_start(self, trainer: L.Trainer, *_: object) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.loaders = trainer.train_dataloader, trainer.val_dataloaders


def test_the_module_gets_the_four_configs():
    configs = TrainingConfig(epochs=1), SMALL, DataConfig(gridsize=1), InferenceConfig(batch_size=9)
    module = train(SCAN, *configs).model
    assert (module.training_config, module.model_config, module.data_config, module.inference_config) == configs


def test_fit_gets_training_and_validation_loaders_and_the_result_hands_the_model_back():
    watch = Watch()
    training = run(1, callbacks=[watch])
    train_loader, val_loader = watch.loaders
    assert torch.equal(train_loader.groups, training.train_loader.groups)
    assert val_loader is training.val_loader
    assert watch.module is training.model
    assert {"train_loss", "val_loss"} <= set(training.history.names)


def test_training_lowers_the_loss():
    history = run(20).history
    assert history.state is State.DONE
    assert history["train_loss"][-1] < 0.6 * history["train_loss"][0]
    assert history["val_loss"][-1] < history["val_loss"][0]


def test_the_loss_of_an_epoch_is_the_mean_over_its_groups():
    history = run(2, data=DataConfig(gridsize=2, n_groups=7)).history  # batches of 2, 2, 2 and 1 groups
    steps = [value for _, value in history.steps]
    assert history["train_loss"][1] == pytest.approx(np.average(steps[4:], weights=[2, 2, 2, 1]), rel=1e-5)


@pytest.mark.parametrize(
    "data", [DataConfig(gridsize=1, validation_fraction=0), DataConfig(gridsize=3), DataConfig(gridsize=2, grouping="quadrants")]
)
def test_every_grouping_trains(data):
    assert run(2, data=data).state is State.DONE


@pytest.mark.parametrize(
    "settings", [{"loss": "poisson"}, {"objective": "supervised"}, {"optimizer": "sgd"}, {"optimizer": "adam"}, {"precision": "bfloat16"}]
)
def test_every_way_of_training_lowers_the_loss(settings):
    losses = run(16, **settings).history["train_loss"]
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


@pytest.mark.parametrize("network", ["cnn", "fourier"])
def test_the_other_networks_train(network):
    config = ModelConfig(network=network, n_filters_scale=0.125)
    losses = train(SCAN, TrainingConfig(epochs=8, batch_size=8), config, DataConfig(gridsize=2)).history["train_loss"]
    assert losses[-1] < losses[0]


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    assert same_weights(run(2), run(2))
    assert not same_weights(run(2), run(2, seed=1))


def test_another_thread_that_draws_changes_nothing():
    done = threading.Event()
    drawing = threading.Thread(target=lambda: [torch.rand(10) for _ in iter(done.is_set, True)])
    quiet = run(2)
    drawing.start()
    try:
        noisy = run(2)
    finally:
        done.set()
        drawing.join()
    assert same_weights(quiet, noisy)


def kernel() -> tuple[object, ...]:
    """What a training might change in the user's kernel."""
    return (
        torch.random.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        torch.is_grad_enabled(),
        torch.backends.cudnn.benchmark,
        torch.get_default_dtype(),
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        list(warnings.filters),
        [logging.getLogger(name).level for name in ("lightning.pytorch", "lightning.fabric", "lightning")],
        dict(os.environ),
    )


def test_the_kernel_is_left_as_found_and_nothing_is_written_or_said(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = kernel()
    run(2)
    assert kernel() == before
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_failure_leaves_the_kernel_as_found_too():
    class Broken(L.Callback):
        def on_train_batch_end(self, *_: object) -> None:
            raise RuntimeError("a user's own mistake")

    before = kernel()
    with pytest.raises(RuntimeError, match="own mistake"):
        run(2, callbacks=[Broken()])
    assert kernel() == before


def test_trainings_that_overlap_leave_the_kernel_as_found():
    first_runs, second_runs, first_is_over = threading.Event(), threading.Event(), threading.Event()
    results: list[Training] = []

    def early(history: History) -> None:
        first_runs.set()
        assert second_runs.wait(30)

    def late(history: History) -> None:
        second_runs.set()
        assert first_is_over.wait(30)

    before = kernel()
    first = threading.Thread(target=lambda: results.append(run(1, listener=early)))
    second = threading.Thread(target=lambda: results.append(run(1, listener=late)))
    first.start()
    assert first_runs.wait(30)
    second.start()
    first.join(30)
    meanwhile = kernel()
    first_is_over.set()
    second.join(30)
    assert [training.state for training in results] == [State.DONE, State.DONE]
    assert meanwhile[3:5] == (True, "medium")  # the second still has what it borrowed
    assert kernel() == before


def test_a_stop_keeps_what_there_is_within_one_step():
    control = Control()
    training = run(50, control=control, listener=lambda h: control.stop() if len(h.steps) == 8 else None)
    assert training.state is State.STOPPED
    assert len(training.history.steps) == training.standing.steps == 8
    assert training.standing.epoch == 1
    assert len(training.history["train_loss"]) == 1


@pytest.mark.parametrize("stop_at", [5, 8, 10, 13])
def test_a_resumed_run_equals_an_unbroken_one(stop_at):
    whole = run(4)
    control = Control()
    first = run(4, control=control, listener=lambda h: control.stop() if len(h.steps) == stop_at else None)
    again = train(SCAN, resume_from=first)
    assert first.standing.steps == stop_at
    assert again.standing.steps == whole.standing.steps
    assert same_weights(whole, again)
    assert [v for _, v in again.history.steps] == [v for _, v in whole.history.steps]
    assert again.history["val_loss"] == whole.history["val_loss"]
    assert again.state is State.DONE


def test_a_run_goes_on_for_as_many_epochs_as_asked_and_leaves_the_first_alone():
    first = run(2, scheduler="constant")
    weights = {name: tensor.clone() for name, tensor in first.model.state_dict().items()}
    more = run(2, scheduler="constant", resume_from=first)
    assert same_weights(more, run(4, scheduler="constant"))
    assert all(torch.equal(weights[name], tensor) for name, tensor in first.model.state_dict().items())
    assert same_weights(more, run(2, scheduler="constant", resume_from=first))
    assert (first.history.epochs, more.history.epochs) == (2, 4)


def test_a_saved_run_goes_on_as_one_in_memory(tmp_path):
    for scheduler in ("constant", "plateau"):
        first = run(2, scheduler=scheduler)
        first.save(tmp_path / "run.safetensors")
        loaded = Training.load(tmp_path / "run.safetensors")
        assert same_weights(first, loaded)
        assert loaded.history.to_dict() == first.history.to_dict()
        from_file = run(2, scheduler=scheduler, resume_from=tmp_path / "run.safetensors")
        assert same_weights(run(2, scheduler=scheduler, resume_from=first), from_file)


def test_a_model_file_is_no_training(tmp_path):
    run(1).model.save(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="ptycho_nb model"):
        Training.load(tmp_path / "model.safetensors")


def test_a_resumed_run_keeps_its_model_and_scan():
    first = run(1)
    with pytest.raises(ConfigError, match="ModelConfig"):
        train(SCAN, model=ModelConfig(hidden=13), resume_from=first)
    with pytest.raises(InputError, match="16 px and 1 probe modes"):
        train(tiny_scan(modes=2), resume_from=first)


@pytest.mark.parametrize("part", ["positions", "probe", "mask", "photons", "patterns"])
def test_a_training_goes_on_with_its_own_scan_alone(part):
    mask = np.ones((16, 16), bool)
    mask[0, 0] = False
    others = {
        "positions": SCAN.replace(positions=SCAN.positions + 1, truth=None),
        "probe": SCAN.replace(probe=SCAN.probe * np.complex64(1j)),
        "mask": SCAN.replace(mask=mask),
        "photons": SCAN.replace(intensity=SCAN.intensity * 2),
        "patterns": SCAN.select(np.arange(40)),
    }
    first = run(1)
    with pytest.raises(InputError, match="not the scan of the training to resume") as caught:
        train(others[part], resume_from=first)
    assert len(str(caught.value)) <= 160


def test_a_training_goes_on_with_its_own_seed_alone():
    first = run(1, seed=3)
    with pytest.raises(ConfigError, match=r"TrainingConfig\.seed is 0; a resumed training keeps its seed 3"):
        run(1, resume_from=first)
    assert run(1, seed=3, resume_from=first).state is State.DONE


def test_a_resumed_training_keeps_its_device(monkeypatch):
    first = run(1, accelerator="cpu")
    asked = []
    monkeypatch.setattr(course, "pick_device", lambda name: asked.append(name) or torch.device("cpu"))
    train(SCAN, resume_from=first)
    run(1, accelerator="auto", resume_from=first)
    assert asked == ["cpu", "auto"]


def test_a_wild_learning_rate_ends_as_diverged_with_finite_weights():
    training = run(30, learning_rate=1.0, optimizer="sgd", gradient_clip=None, scheduler="constant", callbacks=[Blow(4)])
    assert training.state is State.DIVERGED
    assert len(training.history.steps) == 5
    assert "step 5" in training.history.message
    assert all(bool(t.isfinite().all()) for t in training.model.state_dict().values())
    calm = run(1, learning_rate=1e-4, resume_from=training)
    assert calm.state is State.DONE


class Blow(L.Callback):
    """Makes weights so large that the photons overflow."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                self.weight = pl_module.network.last.bias
                self.kept = self.weight.clone()
                self.weight.fill_(1e30)

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        if trainer.should_stop:
            with torch.no_grad():
                self.weight.copy_(self.kept)


def test_an_interrupt_is_a_stop_that_keeps_the_result():
    class Interrupt(L.Callback):
        def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
            if trainer.global_step == 3:
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    training = run(50, callbacks=[Interrupt()])
    assert training.state is State.STOPPED
    assert 3 <= training.standing.steps <= 4
    assert signal.getsignal(signal.SIGINT) is before


def test_a_keyboard_interrupt_inside_a_step_is_a_stop_too():
    class Interrupt(L.Callback):
        def on_train_batch_start(self, trainer: L.Trainer, *_: object) -> None:
            if trainer.global_step == 3:
                raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    training = run(50, callbacks=[Interrupt()])
    assert (training.state, training.standing.steps) == (State.STOPPED, 3)
    assert signal.getsignal(signal.SIGINT) is before
    assert same_weights(run(1, resume_from=training), run(1, resume_from=training))


def test_a_training_runs_in_a_thread_of_its_own():
    results: list[Training] = []
    thread = threading.Thread(target=lambda: results.append(run(2)))
    thread.start()
    thread.join(60)
    assert results[0].state is State.DONE
    assert same_weights(results[0], run(2))


def test_a_time_limit_ends_the_run_and_says_so():
    training = run(10_000, time_limit=0.3)
    assert training.state is State.STOPPED
    assert "time limit" in training.history.message
    assert 0.3 <= training.seconds < 10


def test_a_pause_costs_none_of_the_time_limit(monkeypatch):
    clock, waited = time.monotonic, []
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(waited))

    class Long(Control):
        def wait_while_paused(self) -> None:
            waited.append(1000.0)
            self.resume()

    control = Long()
    training = run(2, time_limit=500, control=control, listener=lambda h: control.pause() if len(h.steps) == 3 else None)
    assert sum(waited) >= 1000
    assert (training.state, training.history.epochs) == (State.DONE, 2)
    assert training.seconds < 500


def test_a_time_limit_counts_from_where_a_run_goes_on():
    first = run(1)
    first.history.seconds = [1000.0]
    training = run(2, time_limit=500, resume_from=first)
    assert (training.state, training.history.epochs) == (State.DONE, 3)
    assert training.history.seconds[-1] > 1000


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("constant", lambda n: np.ones(n)),
        ("exponential", lambda n: 0.01 ** (np.arange(n) / n)),
        ("warmup_cosine", lambda n: np.r_[np.arange(1, 5) / 4, 0.5 * (1 + np.cos(np.pi * np.arange(n - 4) / (n - 4)))]),
    ],
)
def test_the_learning_rate_follows_its_course_step_by_step(scheduler, expected):
    watch = Watch()
    training = run(4, scheduler=scheduler, warmup=0.2, learning_rate=2e-3, callbacks=[watch])
    n = training.standing.steps
    assert n == 20
    assert np.allclose(watch.rates, 2e-3 * expected(n))


class Stuck(Watch):
    """A validation that never improves."""

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        pl_module.validation_step = lambda batch, *_: pl_module.log("val_loss", 1.0, batch_size=1)


def test_plateau_halves_the_learning_rate_when_the_validation_is_no_better():
    watch = Stuck()
    run(10, scheduler="plateau", learning_rate=1e-3, callbacks=[watch])
    by_epoch = np.array(watch.rates).reshape(10, 5)
    assert np.allclose(by_epoch, by_epoch[:, :1])
    assert np.allclose(by_epoch[:, 0], 1e-3 * np.array([1] * 5 + [0.5] * 4 + [0.25]))


def test_early_stop_ends_when_the_validation_is_no_better():
    training = run(200, early_stop=3, callbacks=[Stuck()])
    assert training.state is State.DONE
    assert training.history.epochs == 4
    assert "No better" in training.history.message


def test_patience_counts_from_where_a_run_goes_on():
    first = run(200, early_stop=3, callbacks=[Stuck()])
    assert run(20, early_stop=3, resume_from=first, callbacks=[Stuck()]).history.epochs == 8


def test_patience_names_the_loss_it_watches():
    told = run(20, early_stop=1, learning_rate=1.0, gradient_clip=None, data=DataConfig(gridsize=2, validation_fraction=0)).history.message
    assert told == "No better training loss for 1 epoch."


def test_patience_outlives_an_end_within_the_first_epoch():
    class Slow(L.Callback):
        def on_train_batch_start(self, *_: object) -> None:
            time.sleep(0.1)

    control = Control()
    stopped = run(early_stop=3, control=control, listener=lambda history: control.stop())
    assert (stopped.state, len(stopped.history.steps), stopped.history.epochs) == (State.STOPPED, 1, 0)
    assert run(early_stop=1, time_limit=0.1, callbacks=[Slow()]).history.message == "The time limit was reached."
    assert run(early_stop=1, callbacks=[Blow(1)]).state is State.DIVERGED


def test_the_gradient_is_clipped():
    class Norm(L.Callback):
        def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: object) -> None:
            norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in pl_module.network.parameters()])))

    norms: list[float] = []
    run(1, gradient_clip=1e-3, callbacks=[Norm()])
    assert max(norms) <= 1.001e-3


def test_a_preview_shows_the_whole_object_and_disturbs_nothing():
    pictures = []

    def look(history: History) -> None:
        if len(history.steps) % 4 == 0:
            pictures.append(history.preview())

    training = run(2, listener=look)
    assert pictures[0].object.shape == SCAN.truth.shape
    assert pictures[0].object.dtype == np.complex64
    assert not np.array_equal(pictures[0].object, pictures[-1].object)
    assert same_weights(training, run(2))


def test_a_quick_preset_exists():
    assert TrainingConfig.preset("quick").epochs <= TrainingConfig().epochs
