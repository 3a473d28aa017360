import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemake_executor_plugin_radical_pilot.resources import Request
from snakemake_executor_plugin_radical_pilot.routing import (
    FULL,
    PilotLoad,
    PilotRoom,
    pick,
    preferred,
    share,
    surplus,
    wanted,
)

LIFE = 600.0


@pytest.mark.parametrize(
    ("asked", "room", "part"),
    [
        (Request(), PilotRoom(4), 0.25),
        (Request(2, 4), PilotRoom(4), 2.0),
        (Request(1, 1, 1), PilotRoom(8, 2), 0.5),
        (Request(memory_mb=3000), PilotRoom(8, 0, 4000), 0.75),
        (Request(memory_mb=3000), PilotRoom(8), 0.125),
    ],
)
def test_a_job_takes_what_it_takes_most_of(asked, room, part):
    assert share(asked, room) == part


def test_shapes_are_tried_in_their_order_but_accelerators_are_not_wasted():
    rooms = [PilotRoom(4, 2), PilotRoom(8), PilotRoom(4, 1), PilotRoom(16)]
    assert preferred(Request(), rooms) == [1, 3, 0, 2]
    assert preferred(Request(1, 1, 1), rooms) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("outstanding", "least", "most", "count"),
    [(0, 0, 3, 0), (0, 1, 3, 1), (0.1, 0, 3, 1), (1.0, 0, 3, 1), (1.01, 0, 3, 2), (9, 0, 3, 3), (9, 2, 1, 2)],
)
def test_as_many_pilots_as_the_jobs_take(outstanding, least, most, count):
    assert wanted(outstanding, least, most) == count


@pytest.mark.parametrize(
    ("part", "seconds", "loads", "number"),
    [
        (0.5, 0, [], None),
        (0.5, 0, [PilotLoad(0.0, False, LIFE)], 0),
        (0.5, 0, [PilotLoad(0.8, False, LIFE)], None),
        (0.5, 0, [PilotLoad(0.0, False, LIFE), PilotLoad(1.4, True, LIFE)], 1),
        (0.5, 0, [PilotLoad(0.0, False, LIFE), PilotLoad(1.6, True, LIFE)], None),
        (0.5, 0, [PilotLoad(1.0, True, LIFE), PilotLoad(0.5, True, LIFE)], 1),
        (0.5, 0, [PilotLoad(0.5, True, LIFE), PilotLoad(0.5, True, LIFE)], 0),
        (0.5, 601, [PilotLoad(0.0, True, LIFE)], None),
        (0.5, 601, [PilotLoad(0.0, True, LIFE), PilotLoad(1.0, True, 700.0)], 1),
        (0.5, 0, [PilotLoad(0.0, True, LIFE, open=False)], None),
        (0.5, 0, [PilotLoad(0.0, True, LIFE, open=False), PilotLoad(0.0, False, LIFE)], 1),
        (5.0, 0, [PilotLoad(0.0, True, LIFE)], 0),
    ],
)
def test_the_pilot_that_is_handed_a_job(part, seconds, loads, number):
    assert pick(part, seconds, loads) == number


LOADS = st.lists(
    st.builds(
        PilotLoad, st.floats(0, 3), st.booleans(), st.floats(0, 1000), st.booleans()
    ), max_size=5,
)  # fmt: skip


@given(st.floats(0.01, 2), st.floats(0, 1200), LOADS)
def test_nobody_is_handed_what_he_cannot_do(part, seconds, loads):
    number = pick(part, seconds, loads)
    running = [load for load in loads if load.active and load.open]
    if number is None:
        for load in running or [load for load in loads if load.open]:
            assert seconds > load.remaining or load.share + part > (FULL if running else 1.0)
        return
    chosen = loads[number]
    assert chosen.open and chosen.remaining >= seconds
    assert not chosen.share or chosen.share + part <= FULL + 1e-6
    assert chosen.active == bool(running)


@given(st.lists(st.floats(0.01, 1), max_size=40), st.integers(1, 5), st.integers(0, 5))
def test_work_goes_on_until_all_of_it_is_handed_out(parts, most, least):
    """Pilots that become active one by one, and whose jobs end, get all jobs; never more pilots than may be."""
    waiting, loads, done, rounds = [*parts], [], 0, 0
    while waiting or any(load.share for load in loads):
        rounds += 1
        assert rounds < 400
        count = wanted(sum(load.share for load in loads) + sum(waiting), least, most)
        assert count <= max(least, most)
        loads += [PilotLoad(0.0, False, math.inf)] * max(0, count - len(loads))
        while waiting and (number := pick(waiting[0], 0, loads)) is not None:
            loads[number] = PilotLoad(loads[number].share + waiting.pop(0), loads[number].active, math.inf)
            done += 1
        idle = next((i for i, load in enumerate(loads) if not load.active), None)
        if idle is not None:
            loads[idle] = PilotLoad(loads[idle].share, True, math.inf)
        loads = [PilotLoad(0.0, load.active, math.inf) if load.active else load for load in loads]
    assert done == len(parts)


@pytest.mark.parametrize(
    ("idle", "least", "numbers"),
    [([-1.0, 61.0], 0, [1]), ([61.0, 90.0, 5.0], 0, [1, 0]), ([61.0, 90.0], 1, [1]), ([61.0], 1, []), ([], 1, [])],
)
def test_pilots_that_are_idle_for_long_end_but_for_the_minimum(idle, least, numbers):
    assert surplus(idle, least, 60.0) == numbers
