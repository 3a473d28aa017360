"""Ranks that do more than add whole gradients, killed at random points: one of them and all at once, in turns."""

import random
import sys
from pathlib import Path

import pytest

from deeprc.learning.audit import audit
from deeprc.learning.synchronisation import Synchronisation

sys.path.append(str(Path(__file__).parent))  # last: it must not hide our conftest
from forked import Forks

STEPS = 36
WAYS = {  # that kills meet them between two rounds, amid what they send, and beside whole gradients
    "powersgd": {"rank": 1, "warmup": 4},
    "post_local_sgd": {"period": 5, "warmup": 10},
    "hierarchical": {"period": 3, "across": 9, "ranks_per_node": 2},
    "diloco": {"period": 6, "outer_momentum": 0.5},
}


@pytest.mark.parametrize("kind", WAYS)
def test_whatever_is_killed_ends_with_the_weights_of_an_undisturbed_training(tmp_path, kind):
    ranks, kills = (4, 2) if kind == "hierarchical" else (2, 4)
    options = {"synchronisation": Synchronisation(kind=kind, **WAYS[kind]), "every": 4}
    options["rates"] = {"learning_rate": 3e-2, "checks": 3}

    def start(folder: str) -> Forks:
        return Forks(tmp_path / folder, ranks, STEPS, mode="fixed", **options)

    undisturbed = start("undisturbed").told()
    assert len(set(undisturbed)) == 1
    chance = random.Random(kind)
    for number, step in enumerate(sorted(chance.sample(range(2, STEPS), kills))):
        start("killed").kill_after(step, chance, one=number % 2 == 0)
    assert start("killed").told() == undisturbed
    verdict = audit(tmp_path / "killed")
    assert verdict.faults == []
    assert (verdict.steps, verdict.epochs, verdict.rest) == (STEPS, 11, 52)  # of 100 samples, 32 in a step
