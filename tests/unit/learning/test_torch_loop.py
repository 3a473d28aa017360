import pytest
import torch

from deeprc.learning.torch_loop import fit, make_deterministic


def train(seed: int, steps: int = 60, target: float = 3.0):
    make_deterministic(seed, 1)
    module = torch.nn.Linear(2, 1)
    x = torch.randn(64, 2)

    def loss(step: int) -> torch.Tensor:
        return ((module(x) - target) ** 2).mean()

    lines: list[str] = []
    history = fit(module, loss, lambda: float(loss(0)), steps=steps, learning_rate=0.3, report=lines.append)
    return module, history, lines


def test_it_learns_and_keeps_the_best_weights():
    module, history, lines = train(1)
    first, last = history.validation[0][1], min(value for _, value in history.validation)
    assert last < first / 10
    assert dict(history.validation)[history.best_step] == last
    assert module.bias.item() == pytest.approx(3, abs=0.5)
    assert [step for step, _ in history.validation] == [10, 20, 30, 40, 50, 60]
    assert lines[-1].startswith("step    60 of 60: training loss ")


def test_same_seed_same_bits():
    first, again, other = (train(seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)


def test_weights_of_an_earlier_step_come_back_when_later_ones_are_worse():
    make_deterministic(1, 1)
    module = torch.nn.Linear(1, 1)
    values, seen = iter([3.0, 1.0, 2.0]), []

    def validate() -> float:
        seen.append(module.weight.item())
        return next(values)

    history = fit(
        module,
        lambda step: module(torch.ones(1, 1)).sum() ** 2,
        validate,
        steps=9,
        learning_rate=0.1,
        checks=3,
        report=lambda line: None,
    )
    assert history.best_step == 6
    assert module.weight.item() == seen[1] != seen[2]


def test_a_training_that_never_gives_a_number_is_an_error():
    module = torch.nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="never finite"):
        fit(module, lambda step: module(torch.ones(1, 1)).sum(), lambda: float("nan"), steps=2, learning_rate=0.1)
