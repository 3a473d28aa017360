import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.core.errors import InputError
from deeprc.learning import chance
from deeprc.learning.sampler import Sampler


@given(st.integers(1, 50), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_every_sample_once_per_epoch_whatever_the_batches(samples, batches):
    sampler = Sampler(samples, 3)
    taken = [sampler.take(count) for count in batches]
    assert [len(batch.samples) for batch in taken] == batches
    rows, epochs = (np.concatenate([getattr(batch, name) for batch in taken]) for name in ("samples", "epoch"))
    for epoch in range(len(rows) // samples):
        assert sorted(rows[epochs == epoch]) == list(range(samples))
    last = rows[epochs == len(rows) // samples]
    assert len(set(last)) == len(last) == len(rows) % samples


@given(st.integers(1, 50), st.integers(0, 200), st.integers(1, 70))
def test_four_numbers_are_all_that_is_needed_to_go_on(samples, before, after):
    first, second = Sampler(samples, 7), Sampler(samples, 7)
    if before:
        first.take(before)
    state = first.state()
    assert state == {"seed": 7, "samples": samples, "epoch": before // samples, "position": before % samples}
    second.load(state)
    assert np.array_equal(first.take(after).samples, second.take(after).samples)


def test_a_state_of_other_samples_is_refused():
    with pytest.raises(
        InputError, match="had other samples\n  found: 10 samples, seed 1\n  expected: 11 samples, seed 1"
    ):
        Sampler(10, 1).load(Sampler(11, 1).state())


def test_nothing_to_train_on_is_refused():
    with pytest.raises(InputError, match="nothing to train on"):
        Sampler(0, 1)


def test_the_order_is_that_of_every_machine_and_version():
    """The numbers are Philox's, as published; a change here would make old checkpoints go on with other samples."""
    assert chance.order(8, 1, 0).tolist() == [7, 1, 6, 3, 5, 0, 2, 4]
    assert chance.shard_seed(1, 2, 3) == 2652105366620910795
    assert hashlib.sha256(chance.order(10_000, 1, 1).astype("<i8").tobytes()).hexdigest()[:16] == "025719b8f069f7d3"


def test_every_key_draws_something_else():
    keys = [(seed, step, shard) for seed in range(4) for step in range(25) for shard in range(8)]
    assert len({chance.shard_seed(*key) for key in keys}) == len(keys)
    assert not np.array_equal(chance.order(100, 1, 0), chance.order(100, 1, 1))
    assert not np.array_equal(chance.order(100, 1, 0), chance.order(100, 2, 0))
