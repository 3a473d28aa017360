import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.core.errors import ConfigError
from deeprc.learning import tree
from samples.peers import on_ranks


def by_hand(leaves: list[np.ndarray]) -> np.ndarray:
    """The tree as it is drawn: halves, each summed for itself."""
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    return by_hand(leaves[:half]) + by_hand(leaves[half:])


def vectors(shards: int, length: int, seed: int) -> list[np.ndarray]:
    """Numbers of very different sizes: sums of them depend on the order."""
    chance = np.random.default_rng(seed)
    return [
        (chance.normal(size=length) * 10.0 ** chance.integers(-6, 6, length)).astype(np.float32) for _ in range(shards)
    ]


@given(st.integers(0, 4), st.integers(1, 70), st.integers(0, 1000))
def test_the_sum_is_the_same_bits_on_any_number_of_ranks(height, length, seed):
    shards = 2**height
    leaves = vectors(shards, length, seed)
    expected = by_hand(leaves).tobytes()
    for ranks in (2**power for power in range(height + 1)):

        def work(peers):
            mine = [leaves[shard].copy() for shard in tree.shards_of(peers.rank, peers.size, shards)]
            return tree.over_ranks(tree.fold(mine), peers).tobytes()

        assert on_ranks(ranks, work) == [expected] * ranks


def test_another_order_gives_other_bits():
    leaves = vectors(8, 1000, 1)
    assert not np.array_equal(by_hand(leaves), sum(leaves))


def test_few_arrays_are_in_use_at_a_time():
    made, free = [], []

    def leaves():
        for shard in range(16):
            if free:
                leaf = free.pop()
            else:
                made.append(leaf := np.empty(1))
            leaf[:] = shard
            yield leaf

    assert tree.fold(leaves(), free.append)[0] == sum(range(16))
    assert len(made) == 5


def test_shards_of_ranks_and_rows_of_shards():
    assert [list(tree.shards_of(rank, 2, 8)) for rank in (0, 1)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    rows = np.arange(10)
    assert [list(tree.part(rows, shard, 4)) for shard in range(4)] == [[0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    "ranks, shards, found",
    [(3, 4, "ranks\n  found: 3"), (1, 6, "virtual shards\n  found: 6"), (8, 4, "8 ranks, 4 shards")],
)
def test_what_does_not_divide_is_refused(ranks, shards, found):
    with pytest.raises(ConfigError) as caught:
        tree.shards_of(0, ranks, shards)
    assert found in str(caught.value)
