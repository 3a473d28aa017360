"""Trainings that end before their last step."""

import os
from pathlib import Path

import pytest
import torch

from deeprc.learning.checkpoints import CheckpointStore
from deeprc.learning.config import Halving
from deeprc.learning.ledger import Ledger
from deeprc.learning.peers import Alone
from deeprc.learning.saving import Saving
from deeprc.learning.torch.loop import by_loss, fit
from deeprc.learning.torch.stopping import Rivals, patient


@pytest.mark.parametrize(
    ("losses", "patience", "stops"),
    [
        ([3.0, 2.0, 2.5, 2.0], 2, True),  # an equal one is no smaller one
        ([3.0, 2.0, 2.5, 1.9], 2, False),
        ([3.0, 2.0, 2.5], 2, False),
        ([3.0], 1, False),
        ([1.0, 2.0], 1, True),
        ([1.0, 2.0, 3.0, 4.0], None, False),
    ],
)
def test_patience(losses, patience, stops):
    assert bool(patient(list(enumerate(losses)), patience)) is stops


def train(losses: list[float], saving: Saving | None = None, asked: list | None = None, **options):
    module, said, left = torch.nn.Linear(1, 1), [], list(losses)

    def stop(validations):
        if asked is not None:
            asked.append(len(validations))
        return patient(validations, 2)

    gradient = by_loss(module, lambda step: module(torch.ones(1, 1)).sum() ** 2)
    done = fit(module, gradient, lambda: left.pop(0), steps=12, learning_rate=0.01, checks=6, saving=saving,
               report=said.append, stop=stop, **options)  # fmt: skip
    return done, said


def test_a_training_ends_after_its_patience_and_keeps_the_best():
    done, said = train([5.0, 4.0, 4.5, 4.6, 1.0, 1.0])
    assert (done.steps, done.best_step, len(done.validation)) == (8, 4, 4)
    assert said[-1] == "ends after step 8 of 12: no smaller validation loss in 2 validations"
    done, said = train([5.0, 4.0, 3.0, 2.0, 2.5, 2.5])
    assert done.steps == 12 and "ends after" not in said[-1]  # its last step anyway


def test_a_training_killed_after_its_end_was_saved_ends_there_again(tmp_path):
    """It has no validation left to make: one more would fail here."""

    def saving() -> Saving:
        peers = Alone()
        return Saving(CheckpointStore(tmp_path / "c", peers, keep=2, staging=None, report=print),
                      Ledger(tmp_path / "l", peers), {"of": 1})  # fmt: skip

    first, _ = train([5.0, 4.0, 4.5, 4.6], saving())
    asked: list[int] = []
    second, said = train([], saving(), asked)
    assert (second.steps, second.validation, asked) == (first.steps, first.validation, [4])
    assert said[-1].startswith("ends after step 8 of 12")


def test_of_several_trials_those_that_others_are_ahead_of_end(tmp_path):
    def trial(name: str, *losses: float, among: str = "data") -> str | None:
        rivals = Rivals(tmp_path / "j", Halving(first=1, factor=2), among=among, name=name)
        told: list[tuple[int, float]] = []
        for number, loss in enumerate(losses, 1):
            told.append((number, loss))
            if why := rivals(told):
                return f"{number}: {why}"
        return None

    worse = "other trials of the sweep are better"
    assert trial("a", 3.0, 2.0, 1.0) is None  # nobody else is there yet
    assert trial("b", 4.0) == f"1: {worse}"
    assert trial("c", 2.0, 2.5) == f"2: {worse}"
    assert trial("d", 1.0, 0.5, 0.4) is None
    assert trial("e", 9.0, 9.0, among="other data") is None
    assert trial("c", 2.0, 2.5) == f"2: {worse}"  # killed after it was told, it is told so again
    assert len(Rivals(tmp_path / "j", Halving(), among="data", name="c").study.get_trials()) == 4


def test_the_lock_that_a_killed_trial_leaves_leads_to_the_journal(tmp_path, monkeypatch):
    """Only then Optuna sees its age, and takes it away after half a minute; trials are given a relative path."""
    made, link = [], os.symlink

    def noted(target: str, place: str) -> None:
        link(target, place)
        made.append(Path(place).exists())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "symlink", noted)
    Rivals(Path("group/j"), Halving(), among="data", name="a")([(1, 1.0)])
    assert made and all(made)
