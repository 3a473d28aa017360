import pytest
from pydantic import ValidationError

from deeprc.bench.synchronisation import Network, modelled
from deeprc.core.errors import ConfigError
from deeprc.learning.synchronisation import Synchronisation, Traffic, nodes
from samples.peers import on_ranks


@pytest.mark.parametrize(
    ("keys", "all_of_them", "node"),
    [
        ({"kind": "post_local_sgd", "period": 4}, [4, 8, 11], []),
        ({"kind": "post_local_sgd", "period": 4, "warmup": 3}, [7, 11], []),
        ({"kind": "post_local_sgd", "period": 4, "warmup": 20}, [11], []),
        ({"kind": "hierarchical", "period": 2, "across": 6}, [6, 11], [2, 4, 8, 10]),
        ({"kind": "diloco", "period": 20}, [11], []),
    ],
)
def test_when_rounds_are_due(keys, all_of_them, node):
    how = Synchronisation(**keys)
    due = {step: how.round(step, 11) for step in range(1, 12)}
    assert [step for step, who in due.items() if who == "all"] == all_of_them
    assert [step for step, who in due.items() if who == "node"] == node


def test_what_is_left_out_is_of_the_kind_and_stays_as_it_is_written_down():
    how = Synchronisation(kind="diloco")
    assert how.model_dump(exclude_none=True) == {
        "kind": "diloco", "period": 20, "warmup": 0, "outer_learning_rate": 0.7, "outer_momentum": 0.9,
    }  # fmt: skip
    assert Synchronisation.model_validate_json(how.model_dump_json()) == how
    with pytest.raises(ValidationError, match="less than 1"):
        Synchronisation(kind="diloco", outer_momentum=1)


@pytest.mark.parametrize(
    ("placed", "across", "within"),
    [([0, 0, 0, 0], 0, 4 * 150), ([0, 0, 1, 1], 2 * 150, 2 * 150), ([0, 1, 0, 1], 4 * 150, 0)],
)
def test_links_of_a_ring_by_where_its_ranks_are(placed, across, within):
    traffic = Traffic(placed)
    traffic.ring(100)
    assert traffic.state() == {"across": across, "within": within, "rounds": int(across > 0)}
    other = Traffic(placed)
    other.load(traffic.state())
    other.ring(100, [[0, 1], [2, 3]])
    same = [placed[0] == placed[1], placed[2] == placed[3]]
    assert other.within == within + 200 * sum(same)
    assert other.across == across + 200 * (2 - sum(same))


def test_averages_within_nodes_need_nodes():
    how = Synchronisation(kind="hierarchical")
    with pytest.raises(ConfigError, match="found: 4 ranks on one node"):
        on_ranks(4, lambda peers: nodes(how, peers))
    how = Synchronisation(kind="hierarchical", ranks_per_node=2)
    assert on_ranks(4, lambda peers: nodes(how, peers))[0] == [0, 0, 1, 1]


@pytest.mark.parametrize("kind", ["fp16", "powersgd", "post_local_sgd", "hierarchical", "diloco", "fsdp"])
def test_one_rank_has_nobody_to_synchronise_with(kind):
    """As the configuration says it; a training started by hand on one rank met weights that it could not read."""
    with pytest.raises(ConfigError, match=f"synchronisation {kind} needs ranks to synchronise\n  found: 1 rank"):
        on_ranks(1, lambda peers: nodes(Synchronisation(kind=kind), peers))
    assert on_ranks(1, lambda peers: nodes(Synchronisation(), peers)) == [[0]]


def test_what_a_slow_network_adds_to_a_step():
    """Two nodes with a link each carry 4 MB, and three rounds of a ring of four ranks wait for 20 ms six times each."""
    slow = Network(bandwidth=1e8 / 8, latency=20e-3)
    assert modelled(0.1, 4e6, 3, ranks=4, nodes=2, network=slow) == pytest.approx(0.1 + 0.16 + 0.36)
