"""The record of a run, and the switch that stops and pauses it."""

from __future__ import annotations

import json
import math
import threading
import time

import lightning as L
import pytest
import torch
from torch import nn

from ptycho_nb import Control, History, State
from ptycho_nb.history import Preview


class Line(L.LightningModule):
    """Somebody's own module: fits y = 2 x."""

    def __init__(self, learning_rate: float = 0.1) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.learning_rate = learning_rate

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        loss = (self.layer(batch) - 2 * batch).square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: torch.Tensor, _: int) -> None:
        self.log("val_loss", (self.layer(batch) - 2 * batch).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), self.learning_rate)


@pytest.fixture
def data() -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(torch.linspace(-1, 1, 12).unsqueeze(1), batch_size=4)


def fit(history: History, module: L.LightningModule, data: torch.utils.data.DataLoader, epochs: int = 3, **more: object) -> L.Trainer:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
    }
    trainer = L.Trainer(max_epochs=epochs, callbacks=[history], **quiet, **more)
    trainer.fit(module, data, data)
    return trainer


def test_a_trainer_of_ones_own_fills_the_history(data):
    history = History()
    fit(history, Line(), data)
    assert history.state is State.DONE
    assert len(history["train_loss"]) == len(history["val_loss"]) == len(history.seconds) == 3
    assert [step for step, _ in history.steps] == list(range(1, 10))
    assert history["train_loss"][0] == pytest.approx(sum(v for _, v in history.steps[:3]) / 3, rel=1e-6)
    assert history.seconds == sorted(history.seconds)
    assert history.epoch_ends == [3, 6, 9]


@pytest.mark.parametrize(
    ("every", "steps"),
    [({"check_val_every_n_epoch": 3}, [9, 18]), ({"val_check_interval": 2}, [2, 5, 8, 11, 14, 17, 20]), ({}, [3, 6, 9, 12, 15, 18, 21])],
)
def test_a_validation_is_noted_at_the_step_at_which_it_was_measured(data, every, steps):
    history = History()
    fit(history, Line(), data, 7, **every)
    assert [step for step, _ in history.validation] == steps
    losses = [loss for _, loss in history.validation]
    assert losses == sorted(set(losses), reverse=True)  # each one anew
    again = History.from_dict(json.loads(json.dumps(history.to_dict())))
    assert again.validation == history.validation


def test_a_metric_that_comes_late_stands_at_its_own_epochs(data):
    history = History()
    fit(history, Line(), data, 7, check_val_every_n_epoch=3)
    first, second = (loss for _, loss in history.validation)
    assert history["val_loss"] == pytest.approx([math.nan] * 2 + [first] * 3 + [second] * 2, nan_ok=True)


def test_a_metric_that_does_not_exist_names_those_there_are():
    with pytest.raises(KeyError, match="'train_los'; allowed: train_loss"):
        History()["train_los"]


def test_before_the_first_epoch_the_training_loss_is_an_empty_list():
    assert History()["train_loss"] == []


def test_a_stop_ends_within_one_step_and_leaves_the_broken_epoch_out(data):
    control = Control()
    history = History(lambda h: control.stop() if len(h.steps) == 4 else None, control)
    fit(history, Line(), data)
    assert len(history.steps) == 4
    assert len(history["train_loss"]) == 1
    assert history.state is State.STOPPED


def test_a_stop_before_the_start_takes_no_step(data):
    control = Control()
    control.stop()
    history = History(control=control)
    fit(history, Line(), data)
    assert (history.state, len(history.steps)) == (State.STOPPED, 0)


def test_a_stop_does_not_wait_for_the_validation(data):
    judged = []

    class Judge(L.Callback):
        def on_validation_batch_end(self, trainer: L.Trainer, *_: object) -> None:
            if not trainer.sanity_checking:
                judged.append(1)
                control.stop()

    control = Control()
    history = History(control=control)
    trainer = L.Trainer(
        max_epochs=3,
        callbacks=[Judge(), history],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Line(), data, data)
    assert len(judged) == 1
    assert history.state is State.STOPPED


def test_a_paused_run_waits_and_goes_on(data):
    control, seen = Control(), []
    history = History(lambda h: seen.append(h.state), control)
    history.listener = lambda h: (seen.append(h.state), control.pause() if len(h.steps) == 2 and State.PAUSED not in seen else None)
    thread = threading.Thread(target=fit, args=(history, Line(), data))
    thread.start()
    deadline = time.monotonic() + 30
    while State.PAUSED not in seen and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (history.state, len(history.steps)) == (State.PAUSED, 2)
    control.resume()
    thread.join(10)
    assert history.state is State.DONE
    assert State.PAUSED in seen


def test_the_clock_stands_still_in_a_pause(monkeypatch):
    now, seen = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Long(Control):
        def wait_while_paused(self) -> None:
            now[0] += 50
            seen.append(history.elapsed)
            self.resume()

    history = History(control=Long())
    history.begin()
    now[0] += 3
    history.control.pause()
    assert history.keep_going()
    now[0] += 1
    history.record_epoch(train_loss=1.0)
    assert (seen, history.elapsed, history.seconds, history.waited) == ([3.0], 4.0, [4.0], 50.0)


def test_a_stop_wakes_a_paused_run():
    control = Control()
    control.pause()
    waiting = threading.Thread(target=control.wait_while_paused)
    waiting.start()
    control.stop()
    waiting.join(5)
    assert not waiting.is_alive()
    control.pause()
    assert not control.paused  # what stops cannot be paused


def test_a_failing_listener_is_left_out_and_the_run_goes_on(data, caplog):
    calls = []

    def broken(history: History) -> None:
        calls.append(history)
        raise RuntimeError("no screen")

    history = History(broken)
    fit(history, Line(), data)
    assert (len(calls), history.state) == (1, State.DONE)
    assert caplog.text.count("listener failed") == 1


def test_a_loss_that_is_not_finite_ends_the_run_with_the_weights_before(data):
    class Bad(Line):
        def training_step(self, batch: torch.Tensor, i: int) -> torch.Tensor:
            loss = super().training_step(batch, i)
            if self.global_step == 4:
                self.before = self.layer.weight.detach().clone()
                return loss * float("nan")
            return loss

    module, history = Bad(), History()
    fit(history, module, data)
    assert history.state is State.DIVERGED
    assert len(history.steps) == 5
    assert torch.equal(module.layer.weight, module.before)
    assert "step 5" in history.message
    assert "0.1" in history.message


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_gradient_that_is_not_finite_ends_the_run_with_finite_weights(data, name):
    class Steep(Line):
        def training_step(self, batch: torch.Tensor, i: int) -> torch.Tensor:
            part = self.layer.get_parameter(name)
            return super().training_step(batch, i) + (part - part.detach()).abs().sqrt().sum()

    module, history = Steep(), History()
    fit(history, module, data)
    assert history.state is State.DIVERGED
    assert len(history.steps) == 1
    assert all(bool(p.isfinite().all()) for p in module.parameters())


def test_a_gradient_that_sums_beyond_half_precision_is_finite():
    history, layer = History(), nn.Linear(300, 300).half()
    for parameter in layer.parameters():
        parameter.grad = torch.full_like(parameter, 1000.0)
    history.on_before_optimizer_step(None, None, torch.optim.SGD(layer.parameters(), 0.1))
    assert history.state is State.IDLE


def test_a_preview_is_made_when_asked_for():
    history = History()
    assert history.preview() is None
    asked = []
    picture = Preview(torch.zeros(2, 3, dtype=torch.complex64).numpy(), (0, 0), torch.zeros(1, 2, 2, dtype=torch.complex64).numpy())
    history.previewer = lambda: asked.append(1) or picture
    assert not asked
    assert history.preview() is picture


def test_a_history_survives_json():
    history = History()
    history.begin()
    history.record_step("train_loss", 1.5)
    history.record_epoch(train_loss=1.5, val_loss=float("2"))
    history.state = State.DONE
    again = History.from_dict(json.loads(json.dumps(history.to_dict())))
    assert again.to_dict() == history.to_dict()


def test_a_history_of_before_has_epochs_of_equal_length():
    history = History()
    history.begin()
    for epoch in range(2):
        for _ in range(3):
            history.record_step("train_loss", 1.0)
        history.record_epoch(train_loss=1.0, val_loss=float(epoch))
    stored = history.to_dict()
    del stored["epoch_ends"], stored["steps"]["val_loss"]
    assert History.from_dict(stored).epoch_ends == history.epoch_ends == [3, 6]
    assert History.from_dict(stored).validation == history.validation == [(3, 0.0), (6, 1.0)]


def test_a_run_that_goes_on_keeps_where_the_epochs_ended():
    first, second = History(), History()
    first.begin()
    first.record_step("train_loss", 1.0)
    first.record_epoch(train_loss=1.0)
    second.take_up(first)
    second.begin()
    for _ in range(2):
        second.record_step("train_loss", 1.0)
    second.record_epoch(train_loss=1.0)
    assert (first.epoch_ends, second.epoch_ends) == ([1], [1, 3])
