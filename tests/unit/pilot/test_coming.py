"""Workers and gangs until they are ready: one event each, whichever comes first, its cores or its call."""

from __future__ import annotations

import pytest

from deeprc.core.events import WorkerEvent
from deeprc.pilot import coming

CORES = [("a", 3), ("b", 0)]


@pytest.fixture
def there(monkeypatch):
    """What is told, and a clock that is set."""
    now, told = [100.0], []
    monkeypatch.setattr(coming.time, "time", lambda: now[0])
    return coming.Coming(told.append), now, told


@pytest.mark.parametrize("order", ["placed", "called"])
def test_each_is_told_once_when_both_are_known(there, order):
    waits, now, told = there
    waits.asked("worker.1", ("torch",))
    steps = {"placed": lambda: waits.placed("worker.1", CORES), "called": lambda: waits.called("worker.1", 4.0)}
    now[0] = 110.0
    steps.pop(order)()
    assert told == []
    next(iter(steps.values()))()
    expected = WorkerEvent(time=110.0, name="worker.1", asked=100.0, began=106.0, warm=["torch"], cores=[3, 0],
                           nodes=["a", "b"])  # fmt: skip
    assert told == [expected]
    waits.placed("worker.1", CORES)
    waits.called("worker.1", 4.0)
    assert told == [expected]


def test_of_a_gang_the_first_rank_speaks_and_what_never_calls_or_is_unknown_is_not_told(there):
    waits, _, told = there
    waits.asked("gang.1", ("numpy",))
    waits.placed("gang.1", CORES)
    waits.called("gang.1:1", 1.0)
    assert told == []
    waits.called("gang.1:0", 500.0)
    assert [(each.name, each.began) for each in told] == [("gang.1", 100.0)]  # no sooner than it was asked for
    waits.asked("gang.2", ())
    waits.placed("gang.2", CORES)
    waits.gone("gang.2")
    waits.called("gang.2:0", 1.0)
    waits.called("nobody", 1.0)
    assert len(told) == 1
