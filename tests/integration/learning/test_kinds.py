"""Each way of synchronisation on four ranks of two made-up nodes: one world trains them all."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))  # last: it must not hide our conftest
from kinds import WAYS

STEPS, RANKS = 36, 4
PARAMETERS, STATISTICS = (32 * 3 + 32 * 8 + 64) + 9 + 16, 16  # of the toy's LSTM, head and norm; of the latter


@pytest.fixture(scope="module")
def found(mpirun, tmp_path_factory) -> dict:
    """What the first rank has told, by way."""
    arguments = [Path(__file__).with_name("kinds.py"), tmp_path_factory.mktemp("kinds"), STEPS]
    done = mpirun(RANKS, arguments, timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told.keys() == {*WAYS, "half"}
    return told


@pytest.mark.parametrize("kind", WAYS)
def test_it_learns_to_the_same_weights_on_all_ranks(found, kind):
    losses = [loss for _, loss in found[kind]["losses"]]
    assert losses[-1] < losses[0] / 2
    assert len(set(found[kind]["whole"])) == 1


@pytest.mark.parametrize("kind", WAYS)
def test_a_training_that_goes_on_in_the_middle_of_a_round_ends_with_the_same_bits(found, kind):
    assert found[kind]["resumed"][0] == "goes on after step 28"
    assert found[kind]["again"] == found[kind]["whole"]
    assert found[kind]["faults"] == []
    assert found[kind]["sent_again"] == found[kind]["sent"]


@pytest.mark.parametrize("kind", ["allreduce", "fsdp", "diloco"])
def test_where_nothing_is_held_out_all_ranks_give_the_weights_of_the_last_step(found, kind):
    """In the middle of a round, too."""
    assert found[kind]["unseen"] == found[kind]["looked"]
    assert found[kind]["unseen"][1] == STEPS - 1


def test_what_is_sent_across_nodes_is_counted(found):
    """Rings of four ranks on two nodes: half of the links are between nodes, each carries 3/2 of what is added up."""
    looks = 3 * 3 * (PARAMETERS + STATISTICS) * 4  # validations: weights are averaged for them
    ring = 3 * (PARAMETERS + STATISTICS) * 4
    across = {kind: found[kind]["sent"]["across"] for kind in WAYS}
    assert across["allreduce"] == STEPS * ring
    assert across["fp16"] == STEPS * 3 * (PARAMETERS * 2 + STATISTICS * 4)
    assert across["powersgd"] < across["fp16"]
    warm, rounds = 10, 6  # after 15, 20, 25, 30, 35 and, the last one, 36 steps
    assert across["post_local_sgd"] == (warm + rounds) * ring + looks
    assert across["hierarchical"] == 4 * ring + looks  # after 9, 18, 27 and 36 steps
    assert across["diloco"] == 6 * ring + looks
    assert across["fsdp"] == STEPS * 3 * (1.5 * PARAMETERS + STATISTICS) * 4  # weights go twice, gradients half way
    within = found["hierarchical"]["sent"]["within"] - across["hierarchical"]
    assert within == 8 * 2 * 2 * (PARAMETERS + STATISTICS) * 4  # 8 rounds of a node's two ranks, on both nodes


def test_each_way_is_another_but_what_no_rank_has_whole_is_the_same(found):
    last = {kind: found[kind]["losses"][-1][1] for kind in WAYS}
    assert last.pop("fsdp") == pytest.approx(last["allreduce"], rel=1e-4)
    assert len(set(np.round(list(last.values()), 9))) == len(WAYS) - 1


def test_what_four_ranks_have_saved_in_parts_goes_on_on_two(found):
    half, whole = found["half"], found["fsdp"]
    assert half["resumed"][0] == "goes on after step 28"
    assert half["resumed"][1].startswith("the same bits are not promised: ")
    assert "ranks 4 → 2" in half["resumed"][1]
    assert half["losses"][:-1] == whole["losses"][:-1]
    assert half["losses"][-1][1] < 1.3 * whole["losses"][-1][1]  # two ranks draw another dropout
