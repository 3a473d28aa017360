import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deeprc.core.errors import ConfigError
from deeprc.learning.ledger import Ledger
from deeprc.learning.peers import Alone
from deeprc.learning.sampler import Sampler
from deeprc.learning.torch.compiled import compiled
from deeprc.learning.torch.rank import RankGradient
from deeprc.learning.torch.schedules import factor
from deeprc.learning.torch.sharded import Dealt


class Uneven:
    """Samples that count differently, so that a mean of means is not the mean."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.module, self.x = torch.nn.Linear(3, 1), torch.randn(20, 3)
        self.rows = np.arange(20)

    def loss(self, samples: np.ndarray) -> torch.Tensor:
        weights = torch.from_numpy(samples.astype(np.float32) + 1)
        return (self.module(self.x[samples])[:, 0] ** 2 * weights).sum() / weights.sum()

    def weight(self, samples: np.ndarray) -> int:
        return int((samples + 1).sum())


@pytest.mark.parametrize("parts", [2, 3, 16])
def test_a_gradient_in_parts_is_the_gradient(parts):
    def gradient(accumulate: int) -> tuple[float, np.ndarray]:
        problem, alone = Uneven(), Alone()
        given = (problem, alone, Sampler(20, 1), Ledger(None, alone))
        value = RankGradient(*given, batch=10, seed=1, accumulate=accumulate)(0)
        return value, problem.module.weight.grad.numpy()

    (whole, expected), (value, found) = gradient(1), gradient(parts)
    assert value == pytest.approx(whole, rel=1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_learning_rates_of_forty_steps():
    steps = (0, 1, 2, 21, 40)
    found = {name: [round(factor(name, step, 40), 3) for step in steps] for name in ("cosine", "linear", "constant")}
    assert found == {
        "cosine": [0.333, 0.667, 1.0, 0.5, 0.0],
        "linear": [0.333, 0.667, 1.0, 0.5, 0.0],
        "constant": [0.333, 0.667, 1.0, 1.0, 1.0],
    }


def test_no_compiler_is_told_before_anything_is_trained(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ConfigError, match="needs a C"):
        compiled(torch.nn.Linear(1, 1))


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))
def test_parts_of_some_ranks_are_those_of_others(length, before, after):
    """As torch cuts them: some ranks may have nothing."""

    def cut(ranks: int) -> list[np.ndarray]:
        whole = torch.arange(length * 2.0).reshape(length, 2)
        parts = [part.numpy() for part in torch.chunk(whole, ranks)]
        return parts + [np.empty((0, 2), np.float32)] * (ranks - len(parts))

    each = [
        {"model.w": part, "optimizer.1.exp_avg": part, "optimizer.1.step": np.array(3.0), "model.other": np.ones(2)}
        for part in cut(before)
    ]
    for rank, expected in enumerate(cut(after)):
        dealt = Dealt(each, {"w": "1"}, (rank, after))
        assert np.array_equal(dealt["model.w"], expected) and np.array_equal(dealt["optimizer.1.exp_avg"], expected)
        assert dealt["optimizer.1.step"] == 3 and np.array_equal(dealt["model.other"], np.ones(2))
