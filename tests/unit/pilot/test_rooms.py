"""Which node has room: the same as by a look at each."""

from hypothesis import given
from hypothesis import strategies as st

from deeprc.pilot.rooms import Firsts, share


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=9), st.tuples(*[st.integers(1, 5)] * 3))
def test_the_nearest_node_is_the_first_of_those_with_the_most(there, need):
    nearest = [*Firsts(len(there), there.__getitem__).nearest(need)]
    assert nearest == sorted(range(len(there)), key=lambda number: -share(need, there[number]))
