"""Of a pilot whose time is over: what has not begun and would not end in time waits for the next one."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from deeprc.core.errors import ConfigError
from deeprc.pilot import Outcome
from snakemake_executor_plugin_radical_pilot.pilots import Pilots
from snakemake_executor_plugin_radical_pilot.resources import Request


class FakePilot:
    """It has 100 s left."""

    def __init__(self, running: dict[str, float], **allocation: object) -> None:
        given = {"active": True, "remaining": 100.0, "held": None, "refused": False, "ended": False}
        given |= {"runtime": 10, "batch": True, "forgotten": False}
        self.allocation, self.running, self.taken_back = SimpleNamespace(**given | allocation), running, []
        self.grace, self.expected = 30.0, {"a shape": "jobs"}

    def expect(self, expected: dict) -> None:
        self.expected = expected

    def cancel(self, uids: list[str]) -> None:
        self.taken_back += sorted(uids)


def of(minutes: dict[str, float], pilot: FakePilot, *, in_turn: int = 2) -> tuple[Pilots, SimpleNamespace]:
    jobs = {uid: (None, SimpleNamespace(asked=Request(minutes=each))) for uid, each in minutes.items()}
    workflow = SimpleNamespace(scheduler=None)
    state = SimpleNamespace(pilot=pilot, jobs=jobs, run=SimpleNamespace(workflow=workflow))
    return Pilots(state, None, None, pilot, in_turn=in_turn, again=lambda: pilot), state


def test_what_would_not_end_in_time_is_taken_back_once():
    pilot = FakePilot({"runs": 0.0})
    pilots, _ = of({"runs": 5, "long": 2, "short": 1, "any": 0}, pilot)
    pilots.drain()
    pilots._looked = 0.0
    pilots.drain()
    assert (pilot.taken_back, pilot.expected) == (["long"], {})  # no imports begin for jobs that may go elsewhere
    assert pilots.keep(Outcome("long", "CANCELED", None, [], None))
    assert pilots.held == {"long"}


def test_what_may_take_all_of_a_pilots_time_stays_in_one_that_has_just_begun():
    """Else each pilot would be given up for the next one, without a job."""
    for remaining, taken_back in ((599.9, []), (500.0, ["all"])):
        pilot = FakePilot({}, remaining=remaining)
        pilots, _ = of({"all": 10, "short": 1}, pilot)
        pilots.drain()
        assert pilot.taken_back == taken_back


def test_no_imports_begin_where_jobs_are_asked_to_save_and_end():
    pilot = FakePilot({"runs": time.time()}, remaining=10.0)
    pilots, state = of({"runs": 5}, pilot)
    state.name, state.called, state.run.progress = "", "the pilot", SimpleNamespace(say=lambda line: None)
    pilots.ask()
    assert (pilot.taken_back, pilot.expected) == (["runs"], {})


def test_what_has_ended_meanwhile_has_ended():
    pilots, _ = of({"long": 2}, FakePilot({}))
    pilots.drain()
    assert not pilots.keep(Outcome("long", "DONE", 0, [], None))


@pytest.mark.parametrize(
    ("in_turn", "allocation"), [(0, {}), (2, {"held": "4711"}), (2, {"active": False}), (2, {"refused": True})]
)
def test_nothing_is_taken_back_where_no_other_pilot_may_come(in_turn, allocation):
    pilot = FakePilot({}, **allocation)
    pilots, _ = of({"long": 2}, pilot, in_turn=in_turn)
    pilots.drain()
    assert pilot.taken_back == []


def test_what_a_batch_system_has_refused_is_not_asked_for_again():
    assert of({}, FakePilot({}))[0].may_replace
    assert not of({}, FakePilot({}, refused=True))[0].may_replace


def test_one_that_the_batch_system_has_lost_before_it_began_is_asked_for_anew_once():
    pilot = FakePilot({}, forgotten=True, broken=())
    pilots, state = of({}, pilot, in_turn=1)
    pilots._taken = 1
    assert pilots.may_replace
    state.called, state.tell, state.run.progress = "the pilot", lambda *_: None, SimpleNamespace(say=lambda line: None)
    pilot.close, pilot.start, pilot.submit = lambda keep: None, lambda: None, lambda tasks: None
    pilot.allocation.avoid, pilot.allocation.site, pilot.allocation.cores = (
        (lambda nodes: None),
        SimpleNamespace(name="s"),
        1,
    )
    made = SimpleNamespace(tasks=lambda jobs, again: [], foresee=lambda: {"a shape": "other jobs"})
    state.name, pilots._submitting = "", made
    pilots._hand_over("Slurm knows its job no more")
    assert pilots._taken == 2 and not pilots.may_replace
    assert pilot.expected == {"a shape": "other jobs"}  # anew: those of the jobs that are left
    pilot.allocation.forgotten = False
    assert not pilots.may_replace


def test_where_no_other_pilot_can_be_taken_its_jobs_have_failed():
    """Else nobody would hear of them, and the run would wait for ever."""

    def refuse() -> None:
        raise ConfigError("the site file is gone")

    pilot, told, said = FakePilot({}), [], []
    pilot.allocation.broken, pilot.folder = (), Path()
    pilot.close, pilot.last_words = lambda keep: None, lambda: ([], "log")
    pilots, state = of({"a": 1, "b": 1}, pilot)
    pilots._plan = refuse
    shown = []
    for uid, (_, submitted) in state.jobs.items():
        submitted.ended = lambda outcome: SimpleNamespace(event=lambda now: outcome)
        submitted.show_command = lambda uid=uid: shown.append(uid)
    state.jobs = {uid: (SimpleNamespace(external_jobid=uid), submitted) for uid, (_, submitted) in state.jobs.items()}
    state.called, state.tell, state.run.lock = "the pilot", lambda *_: None, threading.RLock()
    state.run.events = SimpleNamespace(write=lambda event: None)
    state.run.reports = SimpleNamespace(report_job_error=lambda info: told.append(info.external_jobid))
    state.run.progress = SimpleNamespace(say=lambda line: None, failed=lambda what, why, *_: said.append(why))
    pilots._replace("its node has gone down")
    assert (told, shown, pilots.given_up, pilots.replacing) == (["a", "b"], ["a", "b"], True, False)
    assert said == ["its node has gone down; no other one could be taken: the site file is gone"]


class LoneTask:
    """Compared with no other one: of ten thousand that are late, that took minutes."""

    __hash__ = None

    def __init__(self, uid: str, timeout: float) -> None:
        self.uid, self.timeout = uid, timeout

    def __eq__(self, other: object) -> bool:
        raise AssertionError("two tasks were compared")


def test_tasks_that_are_late_are_kept_back_without_comparing_each_with_each():
    pilot, given = FakePilot({}), []
    pilot.submit = lambda tasks: given.extend(task.uid for task in tasks)
    pilots, _ = of({}, pilot)
    pilots.submit([LoneTask("a", 101), LoneTask("b", 99), LoneTask("c", 102), LoneTask("d", 0)])
    assert (given, pilots.held) == (["b", "d"], {"a", "c"})
