"""Half precision on the processor, which has float16, too: what overflows is computed once more, and none is lost."""

import numpy as np
import pytest
import torch

from deeprc.learning.audit import audit
from deeprc.learning.config import How
from deeprc.learning.finite import NotFiniteError
from deeprc.learning.peers import Alone
from deeprc.learning.torch import precision, state
from deeprc.learning.torch.loop import make_deterministic
from deeprc.learning.torch.train import Trainer

STEPS = 12


class Steep:
    """Gradients of float16 are too large with the first scales, also by what dropout leaves out."""

    def __init__(self, steep: float) -> None:
        self.module = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)
        )
        self.x, self.steep = torch.randn(64, 4, generator=torch.Generator().manual_seed(2)), steep
        self.rows = np.arange(64)

    def loss(self, samples: np.ndarray) -> torch.Tensor:
        with precision.cast("float16", torch.device("cpu")):
            out = self.module(self.x[samples])
        return self.steep * (out.float()[:, 0] - self.x[samples].sum(1)).square().mean()

    def weight(self, samples: np.ndarray) -> int:
        return len(samples)


def trained(folder, *, steep: float = 20.0, reproducible: str = "fixed", steps: int = STEPS, before=None) -> Trainer:
    make_deterministic(1, 1)
    problem = Steep(steep)
    trainer = Trainer(
        problem, Alone(), steps=steps, batch=16, seed=1, reproducible=reproducible, shards=2,
        how=How(checkpoint_steps=5), facts={}, checkpoints=folder / "checkpoints", precision="float16",
    )  # fmt: skip
    trainer.say = trainer.saving.store.report = lambda line: None
    if before:
        before(trainer)
    trainer.run(lambda: float(problem.loss(problem.rows)), learning_rate=1e-2, checks=2)
    trainer.write_ledger(folder)
    return trainer


@pytest.mark.filterwarnings("error:invalid value:RuntimeWarning")
@pytest.mark.parametrize("reproducible", ["fixed", "elastic"])
def test_a_step_that_overflows_is_computed_again_and_no_sample_is_lost(tmp_path, monkeypatch, reproducible):
    """The weights are those of a training whose first scale fits: powers of 2 round nothing."""
    monkeypatch.setattr(precision, "FIRST", 2.0**30)
    first = trained(tmp_path / "a", reproducible=reproducible)
    assert 1 < first._scale.value < 2.0**24
    monkeypatch.setattr(precision, "FIRST", first._scale.value)
    other = trained(tmp_path / "b", reproducible=reproducible)
    assert other._scale.value == first._scale.value
    assert state.digest_of(first.weights) == state.digest_of(other.weights)
    verdict = audit(tmp_path / "a")
    assert verdict.faults == [] and (verdict.epochs, verdict.rest) == (3, 0)


def test_a_training_that_goes_on_has_its_scale(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "EVERY", 4)  # it grows while it goes on, too
    whole = trained(tmp_path / "a")

    def end(trainer: Trainer) -> None:
        take = trainer.sampler.take

        def until(count: int):
            if (trainer.sampler.epoch, trainer.sampler.position) == (1, 48):
                raise KeyboardInterrupt
            return take(count)

        trainer.sampler.take = until

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "b", before=end)
    again = trained(tmp_path / "b")
    assert (again._scale.value, again._scale.since) == (whole._scale.value, whole._scale.since)
    assert state.digest_of(again.weights) == state.digest_of(whole.weights)


def test_what_overflows_by_itself_ends_the_training(tmp_path):
    with pytest.raises(NotFiniteError, match="its gradient is not finite"):
        trained(tmp_path, steep=1e30)
