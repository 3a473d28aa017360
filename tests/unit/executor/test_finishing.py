"""Snakemake hears of each job that has ended well once, whatever it is doing, and of many at once."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from snakemake_executor_plugin_radical_pilot import finishing, internals


class Scheduler(internals.scheduler_class()):
    """Snakemake's, as far as jobs are finished."""

    def __init__(self) -> None:
        self._lock, self._open_jobs, self._tofinish = threading.Lock(), threading.Semaphore(0), []
        self.dryrun, self.finish_callback = False, self._proceed

    @property
    def rounds(self) -> int:
        """How often it looks at all jobs."""
        return self._open_jobs._value


@pytest.fixture
def told():
    scheduler = Scheduler()
    return scheduler, finishing.Finishing(SimpleNamespace(scheduler=scheduler))


def test_one_that_ends_alone_is_told_at_once(told):
    scheduler, ends = told
    ends.add("a")
    assert (scheduler._tofinish, scheduler.rounds) == (["a"], 1)
    ends.tell()
    assert scheduler.rounds == 1


def test_of_a_thousand_that_end_together_snakemake_looks_at_all_that_run_a_few_times(told):
    """It did so for each: of 16,000 jobs that were 16,000 copies of a list of 16,000."""
    scheduler, ends = told
    for number in range(1000):
        ends.add(number)
    ends.tell()
    assert scheduler._tofinish == [*range(1000)]
    assert scheduler.rounds <= 5


def test_who_tells_does_not_wait_while_snakemake_works_and_nothing_is_lost(told):
    scheduler, ends = told
    with scheduler._lock:
        for number in range(100):
            ends.add(number)  # would stand still for ever
        waiting = threading.Thread(target=ends.tell)
        waiting.start()
        assert scheduler._tofinish == []
    waiting.join(10)
    assert (scheduler._tofinish, scheduler.rounds) == ([*range(100)], 1)


def test_where_snakemake_wants_to_hear_nothing_it_is_asked_as_it_asks_to_be(told):
    scheduler, ends = told
    heard = []
    scheduler.finish_callback = heard.append
    for name in "ab":
        ends.add(name)
    ends.tell()
    assert (heard, scheduler._tofinish, scheduler.rounds) == (["a", "b"], [], 0)
