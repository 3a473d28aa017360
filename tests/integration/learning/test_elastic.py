"""Trainings that are killed and go on with other numbers of ranks: the same weights, every sample once per epoch."""

import json
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from deeprc.learning.audit import audit
from deeprc.learning.notice import AskedToEnd
from deeprc.learning.peers import Alone
from deeprc.learning.torch import state

sys.path.append(str(Path(__file__).parent))  # last: it must not hide our conftest
from forked import forked
from toy import train, trained

STEPS = 24


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[str, list[dict]]:
    """The weights and the curve of a training on one rank that nobody has disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    return train(folder, STEPS, Alone(), say=lambda line: None), curve(folder)


@pytest.fixture(scope="module")
def alone(undisturbed) -> str:
    """The weights."""
    return undisturbed[0]


def curve(folder: Path) -> list[dict]:
    """The points of a curve, less their times, which never go back."""
    points = [json.loads(line) for line in (folder / "curve" / "curve.jsonl").read_text().splitlines()]
    times = [point.pop("time") for point in points]
    assert times == sorted(times)
    return points


def test_ranks_of_mpi_killed_and_resized(mpirun, tmp_path, alone):
    """Two ranks, of which one is killed; then four, which end it. The survivors do not wait for the dead one."""
    toy = Path(__file__).with_name("toy.py")
    done = mpirun(2, [toy, tmp_path, STEPS, 1, 17])  # within the 120 s that it is given
    assert done.returncode != 0
    assert "rank 1 is killed before step 17" in done.stdout
    done = mpirun(4, [toy, tmp_path, STEPS])
    assert done.returncode == 0, done.stderr
    assert "goes on after step " in done.stdout
    assert done.stdout.count(alone) == 4  # not by lines: two ranks may write into one
    for rank in range(4):
        world = f"World(rank={rank}, size=4, local_rank={rank}, local_size=4, node_rank=0, nodes=1, source='PMI')"
        assert done.stdout.count(world) == 1
    verdict = audit(tmp_path)
    assert verdict.faults == [] and (verdict.epochs, verdict.rest) == (7, 68)


@pytest.mark.timeout(300)
def test_twenty_random_schedules_of_kills_on_other_numbers_of_ranks(tmp_path, undisturbed):
    """Weights and the points of the curve are those of one rank: none is lost, none stands there twice."""
    alone, points = undisturbed
    assert [point["step"] for point in points] == list(range(1, STEPS + 1))
    assert [point["step"] for point in points if "validation_loss" in point] == list(range(4, STEPS + 1, 4))
    chance = random.Random(1)
    for schedule in range(20):
        folder = tmp_path / str(schedule)
        for _ in range(chance.randint(1, 3)):
            forked(folder, chance.choice((1, 2, 4)), chance.uniform(0.03, 0.4))
        ranks = chance.choice((1, 2, 4))
        assert forked(folder, ranks, None) == [alone] * ranks
        assert audit(folder).faults == []
        assert curve(folder) == points
        assert len(list((folder / "curve").glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("mode", ["elastic", "fixed"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_training_that_was_at_its_end_gives_its_weights_again(tmp_path, mode, ranks):
    """Killed after its last checkpoint, say: the weights of the smallest validation loss are in that."""
    weights = forked(tmp_path, ranks, None, mode=mode)
    assert forked(tmp_path, ranks, None, mode=mode) == weights


@pytest.mark.parametrize("mode", ["elastic", "fixed"])
def test_the_best_weights_from_before_a_restart_are_not_forgotten(tmp_path, mode):
    """The validation loss grows from step to step: the first weights are the best ones."""

    def best(folder: Path, last: int | None) -> str:
        losses = iter(range(10) if last is None or not folder.exists() else range(5, 15))

        def end(step: int) -> None:
            if step == last:
                os.kill(os.getpid(), signal.SIGTERM)

        trainer, history = trained(
            folder, STEPS, Alone(), end, lambda line: None, mode, validation=lambda: next(losses)
        )
        assert history.best_step == 4
        return state.digest(trainer.problem.module)

    undisturbed = best(tmp_path / "a", None)
    with pytest.raises(AskedToEnd):
        best(tmp_path / "b", 9)
    assert best(tmp_path / "b", None) == undisturbed


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_signal_to_one_rank_ends_all_of_them_after_the_same_step_and_loses_none(tmp_path, alone, ranks):
    def ask(rank: int, step: int) -> None:
        if (rank, step) == (ranks - 1, 5):
            os.kill(os.getpid(), signal.SIGTERM)

    told = "the job was asked to end: the training is saved after step 6 of 24"
    assert forked(tmp_path, ranks, None, ask) == [told] * ranks
    assert (tmp_path / "checkpoints" / "step-00000006" / "commit.json").exists()
    assert forked(tmp_path, 2, None) == [alone] * 2
    assert audit(tmp_path).faults == []


def test_the_fast_mode_goes_on_to_the_same_bits_on_the_same_number_of_ranks(tmp_path):
    def ask(rank: int, step: int) -> None:
        if (rank, step) == (1, 12):
            os.kill(os.getpid(), signal.SIGTERM)

    undisturbed = forked(tmp_path / "a", 2, None, mode="fixed")
    assert len(set(undisturbed)) == 1
    assert "saved after step 13 of 24" in forked(tmp_path / "b", 2, None, ask, "fixed")[0]
    assert forked(tmp_path / "b", 2, None, mode="fixed") == undisturbed
    assert audit(tmp_path / "b").faults == []
    assert curve(tmp_path / "b") == curve(tmp_path / "a")
