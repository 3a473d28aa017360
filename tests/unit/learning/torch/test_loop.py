import copy

import pytest
import torch

from deeprc.learning.finite import NotFiniteError
from deeprc.learning.torch import state
from deeprc.learning.torch.loop import by_loss, fit, make_deterministic
from deeprc.learning.torch.schedules import factor, scheduled
from deeprc.learning.torch.together import Together
from deeprc.learning.torch.training import TrainingState


def train(seed: int, steps: int = 60, target: float = 3.0):
    make_deterministic(seed, 1)
    module = torch.nn.Linear(2, 1)
    x = torch.randn(64, 2)

    def loss(step: int) -> torch.Tensor:
        return ((module(x) - target) ** 2).mean()

    lines: list[str] = []
    history = fit(
        module, by_loss(module, loss), lambda: float(loss(0)), steps=steps, learning_rate=0.3, report=lines.append
    )
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


def test_where_nothing_is_held_out_the_weights_of_the_last_step_are_kept():
    """Those of a training whose last validation is the best, and nothing else is said."""
    found = []
    for validate in (None, iter(range(9, 0, -1)).__next__):
        make_deterministic(1, 1)
        module, lines = torch.nn.Linear(2, 1), []
        x = torch.randn(8, 2)
        loss = by_loss(module, lambda step, module=module, x=x: (module(x + step) ** 2).mean())
        history = fit(module, loss, validate, steps=9, checks=3, learning_rate=0.1, report=lines.append)
        found.append((module.weight.tolist(), history.train, history.best_step, history.steps))
    assert found[0] == found[1] and found[0][2:] == (9, 9)
    found = []
    history = fit(module, loss, None, steps=3, checks=2, learning_rate=0.1, report=found.append, stop=min)
    assert history.validation == []
    assert [line.partition(":")[0] for line in found] == ["step     2 of 3", "step     3 of 3"]
    assert "validation" not in " ".join(found)


def test_weights_of_an_earlier_step_come_back_when_later_ones_are_worse():
    make_deterministic(1, 1)
    module = torch.nn.Linear(1, 1)
    values, seen = iter([3.0, 1.0, 2.0]), []

    def validate() -> float:
        seen.append(module.weight.item())
        return next(values)

    history = fit(
        module,
        by_loss(module, lambda step: module(torch.ones(1, 1)).sum() ** 2),
        validate,
        steps=9,
        learning_rate=0.1,
        checks=3,
        report=lambda line: None,
    )
    assert history.best_step == 6
    assert module.weight.item() == seen[1] != seen[2]


def diverge(loss, validation=lambda: 1.0, learning_rate: float = 0.1, **options) -> str:
    module = torch.nn.Linear(1, 1)
    with pytest.raises(NotFiniteError) as caught:
        fit(module, by_loss(module, lambda step: loss(step, module)), validation, steps=6, learning_rate=learning_rate,
            name="NHITS", report=lambda line: None, **options)  # fmt: skip
    return str(caught.value)


def test_training_stops_at_the_first_loss_that_is_not_finite():
    told = diverge(lambda step, module: module(torch.ones(1, 1)).abs().sum() / (step < 2), checks=1)
    assert told == (
        "the training of NHITS has diverged: its training loss is not finite\n"
        "  found: inf at step 3 of 6, learning rate 0.1\n"
        "  expected: a number\n"
        "  fix: lower the key 'learning_rate' of this model, for instance to 0.01"
    )


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    told = diverge(lambda step, module: (module(torch.ones(1, 1)) * 0).abs().sqrt().sum(), usual=0.002)
    assert "its gradient is not finite" in told and "nan at step 1 of 6" in told and "for instance to 0.002" in told


def test_a_validation_loss_that_is_not_finite_stops_the_training():
    told = diverge(lambda step, module: module(torch.ones(1, 1)).sum(), lambda: float("nan"))
    assert "its validation loss is not finite" in told and "nan at step 1 of 6" in told


def test_the_learning_rate_that_blows_up():
    told = diverge(lambda step, module: (module(torch.ones(1, 1)) ** 2).sum(), learning_rate=1e30)
    assert "learning rate 1e+30" in told


@pytest.mark.parametrize(("kind", "fused"), [(torch.float32, True), (torch.float64, True), (torch.complex64, None)])
def test_adamw_goes_in_one_kernel_where_that_knows_the_weights_and_to_the_same(kind, fused):
    """Beside AdamW as torch has it when nothing is said: the same weights but for the last bits."""
    make_deterministic(1, 1)
    module = torch.nn.Linear(300, 7, dtype=kind)
    plain = copy.deepcopy(module)
    training = TrainingState(module, Together(), 1e-2, 20, "constant")
    assert [group["fused"] for group in training.optimizer.param_groups] == [fused]
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-2, weight_decay=1e-4)
    schedule = scheduled("constant", optimizer, 1e-2, 20)
    for step in range(1, 21):
        for mine, theirs in zip(module.parameters(), plain.parameters(), strict=True):
            mine.grad = torch.randn_like(mine)
            theirs.grad = mine.grad.clone()
        training.advance(step)
        optimizer.step()
        schedule.step()
    for mine, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)


def test_a_rate_that_is_halved_stays_for_two_fifths():
    assert [factor("halved", step, 10) for step in range(10)] == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    assert [factor("halved", step, 3) for step in range(3)] == [1, 1, 0.25]


def test_a_training_saved_before_adamw_was_one_kernel_goes_on_as_it_was():
    """Its groups say so: half a training by one way and half by another would be the bits of neither."""
    make_deterministic(1, 1)
    module = torch.nn.Linear(3, 2)
    old = torch.optim.AdamW(module.parameters(), lr=1e-2)
    module(torch.ones(1, 3)).sum().backward()
    old.step()
    groups = [state.plain(group) for group in old.state_dict()["param_groups"]]
    training = TrainingState(module, Together(), 1e-2, 20, "constant")
    state.load_optimizer(training.optimizer, state.optimizer_arrays(old), groups)
    assert not training.optimizer.param_groups[0]["fused"]
    training.advance(2)


class Careless(torch.nn.Module):
    """Reads what nobody has written."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self) -> torch.Tensor:
        return (self.weight * torch.empty(3)).sum()


def test_a_network_that_reads_what_nobody_has_written_is_found_out_in_its_first_step():
    make_deterministic(1, 1)
    module, filled = Careless(), []

    def loss(step: int) -> torch.Tensor:
        filled.append(torch.utils.deterministic.fill_uninitialized_memory)
        return module()

    with pytest.raises(NotFiniteError, match="training loss"):
        fit(module, by_loss(module, loss), lambda: 1.0, steps=3, learning_rate=0.1)
    assert filled == [True] and torch.utils.deterministic.fill_uninitialized_memory

    filled.clear()
    module.forward = lambda: module.weight.sum()
    seen = []

    def validate() -> float:
        seen.append(torch.utils.deterministic.fill_uninitialized_memory)
        return 1.0

    fit(module, by_loss(module, loss), validate, steps=3, checks=3, learning_rate=0.1, report=lambda line: None)
    assert filled == [True, False, False] and seen == [True] * 3  # of a forecast, which comes seldom, always
