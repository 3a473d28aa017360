"""Workers for jobs to come: only where nothing that is ready wants a core, and no more than can be used at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.pilot import Allocation, Pilot
from deeprc.pilot.foresight import AT_ONCE, GIVEN_UP, Expected, Foresight
from deeprc.pilot.schedule import IDLE, LEAVING, Schedule, ScheduledWorker
from deeprc.pilot.tasks import Shape, Task
from deeprc.pilot.workers import Workers
from pilots import wait_for
from plain_schedule import job
from samples.sites import laptop

WARM, OTHER, PLAIN = Shape(1, warm=("torch",)), Shape(2, warm=("tensorflow",)), Shape(1)
DEVICE = Shape(1, 1, warm=("torch",))


def foresight(cores: int = 4, *, jobs: int = 3, most: int = 2, **options) -> tuple[Schedule, Foresight]:
    schedule = Schedule([(cores, 1, 1000)])
    there = Foresight(schedule, **options)
    expected = {WARM: Expected(jobs, most), OTHER: Expected(1, 1), PLAIN: Expected(1, 1), DEVICE: Expected(1, 1)}
    there.expect(expected)
    return schedule, there


def start_all(schedule: Schedule, there: Foresight) -> list[ScheduledWorker]:
    made = []
    while found := there.wanted():
        made.append(ScheduledWorker(f"worker.{len(made)}", found[0], node=found[1]))
        schedule.hire(made[-1])
        there.begun(made[-1].shape, {made[-1].name})
    return made


def test_as_many_as_can_be_used_at_once_the_soonest_first_none_without_imports_and_none_with_accelerators():
    assert [each.shape for each in start_all(*foresight())] == [WARM, WARM, OTHER]
    assert [each.shape for each in start_all(*foresight(3))] == [WARM, WARM]
    assert [each.shape for each in start_all(*foresight(jobs=1))] == [WARM, OTHER]
    assert len(start_all(*foresight(100, jobs=50, most=50))) == AT_ONCE
    _, there = foresight()
    there.came([WARM, WARM, PLAIN, OTHER])
    assert [shape in there for shape in (WARM, OTHER, PLAIN, DEVICE)] == [True, False, False, False]
    there.came([WARM])
    assert there.wanted() is None and not there


def test_none_starts_where_it_cannot():
    """Before the pilot has begun, and in an image that is not here yet."""
    assert [each.shape for each in start_all(*foresight(may=lambda shape: shape == OTHER))] == [OTHER]


def test_what_is_ready_goes_before():
    schedule, there = foresight()
    schedule.add([job("ready", PLAIN)])
    assert there.wanted() is None
    schedule.hire(ScheduledWorker("its", PLAIN))
    schedule.decide()
    assert there.wanted() == (WARM, 0)  # the job has the worker that starts
    schedule.add([job("two", PLAIN, ranks=2)])
    assert there.wanted() is None


def test_what_still_imports_goes_where_another_waits_and_what_has_imported_is_as_any_other():
    schedule, there = foresight(2, most=2)
    made = start_all(schedule, there)
    made[0].turn(IDLE)
    there.there(made[0].name)
    assert there.in_the_way(made) == []
    schedule.add([job("same", WARM)])
    schedule.decide()
    assert there.in_the_way(made) == []  # the worker that is there takes it
    schedule.add([job("ready", PLAIN)])
    schedule.decide()
    assert there.in_the_way(made) == [made[1]]


def test_no_more_goes_than_is_in_the_way_and_none_that_a_job_waits_for():
    schedule, there = foresight(3, jobs=3, most=3)
    made = start_all(schedule, there)
    schedule.add([job("same", WARM), job("ready", PLAIN)])
    schedule.decide()
    (way,) = there.in_the_way(made)
    assert way is made[2]  # the youngest
    assert there.lost(way) is False  # a job of its shape waits, for another
    way.turn(LEAVING)
    assert there.in_the_way(made) == []  # what leaves is enough
    schedule.add([job("second", PLAIN)])
    schedule.decide()
    assert there.in_the_way(made) == [made[1]]
    schedule.add([job("third", PLAIN)])
    made[1].turn(LEAVING)
    assert there.in_the_way(made) == []  # the last one is for the job of its own shape


def test_all_that_still_import_go_where_a_job_of_several_ranks_waits():
    schedule, there = foresight(3, jobs=3, most=3)
    made = start_all(schedule, there)
    schedule.add([job("two", PLAIN, ranks=2)])
    assert there.in_the_way(made) == made[::-1]


def test_one_that_holds_memory_which_a_job_asks_for_is_in_the_way():
    schedule = Schedule([(4, 0, 1000)])
    there = Foresight(schedule)
    there.expect({Shape(1, warm=("torch",), memory_mb=400): Expected(2, 2)})
    made = start_all(schedule, there)
    schedule.add([job("large", Shape(1, memory_mb=500))])
    schedule.decide()
    assert (len(made), there.in_the_way(made)) == (2, [made[1]])


def test_imports_that_fail_are_no_fault_of_a_job_and_are_not_tried_for_ever():
    schedule, there = foresight(jobs=5)
    for _ in range(GIVEN_UP):
        shape, node = there.wanted()
        worker = ScheduledWorker("it", shape, node=node)
        schedule.hire(worker)
        there.begun(shape, {"it"})
        assert there.lost(worker)
        schedule.lose(worker)
    assert there.wanted() == (OTHER, 0)
    assert not there.lost(worker)


def test_one_whose_script_cannot_be_written_is_not_tried_for_ever():
    _, there = foresight()
    for _ in range(GIVEN_UP):
        there.begun(there.wanted()[0], set())
    assert there.wanted() == (OTHER, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 5), st.integers(1, 5), st.lists(st.sampled_from([WARM, OTHER, PLAIN]), max_size=5)
)
def test_never_more_than_their_jobs_can_use_and_none_where_a_job_waits_for_a_core(cores, jobs, most, ready):
    schedule, there = foresight(cores, jobs=jobs, most=most)
    schedule.add([job(str(number), shape) for number, shape in enumerate(ready)])
    for number, (shape, node) in enumerate(schedule.decide().start):
        schedule.hire(ScheduledWorker(f"ready.{number}", shape, node=node))
    schedule.decide()
    waits = len(ready) > schedule.starting.total()
    made = Counter(each.shape for each in start_all(schedule, there))
    assert not (waits and made)
    assert made[PLAIN] == 0
    assert schedule.starting[WARM] <= max(min(most, jobs + ready.count(WARM)), ready.count(WARM))
    assert schedule.rooms.free[0][0] >= 0


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.lists(st.sampled_from([WARM, OTHER, PLAIN]), max_size=6))
def test_no_more_goes_than_jobs_that_wait_ask_for_and_all_of_it_at_once(cores, ready):
    schedule, there = foresight(cores, jobs=6, most=6)
    made = start_all(schedule, there)
    schedule.add([job(str(number), shape) for number, shape in enumerate(ready)])
    for number, (shape, node) in enumerate(schedule.decide().start):
        schedule.hire(ScheduledWorker(f"ready.{number}", shape, node=node))
    schedule.decide()
    for worker in there.in_the_way(made):
        there.lost(worker)
        worker.turn(LEAVING)
    assert there.in_the_way(made) == []
    gone = [worker.shape.cores for worker in made if worker.state == LEAVING]
    alike, starting = schedule.alike, schedule.starting
    calling = [shape.cores for shape in alike for _ in range(len(alike[shape]) - starting[shape])]
    assert sum(gone) <= sum(calling)


def begun_by(folder: Path, begin: Callable[[Workers], None]) -> list[list[str]]:
    """The commands of the workers that are started then, without what each pilot has of its own."""
    started: list[list[str]] = []
    folder.mkdir()
    there = Workers(
        [(4, 0, 1000)], folder, launch=lambda tasks: started.extend(task.argv for task, _ in tasks),
        report=lambda outcome: None, began=lambda uid: None, contain=lambda shape, command: ["in the image", *command],
    )  # fmt: skip
    try:
        begin(there)
        wait_for(lambda: len(started) == 2, 20)
        own = there.gate.address, str(there.gate.keyfile)
        return [[word for word in command if word not in own] for command in started]
    finally:
        there.close()


def test_a_worker_for_jobs_to_come_is_started_as_one_of_its_jobs(tmp_path):
    """In their image, and in their environment."""
    inside = Shape(1, warm=("torch",), contained=True)
    expected = {inside: Expected(1, 1), WARM: Expected(1, 1, "/run/environment")}
    tasks = [Task(str(number), ["a"], warm=shape.warm, contained=shape.contained, environment="/run/environment")
             for number, shape in enumerate(expected)]  # fmt: skip
    foreseen = begun_by(tmp_path / "foreseen", lambda there: there.expect(expected))
    assert foreseen == begun_by(tmp_path / "ready", lambda there: there.submit(tasks))
    assert ["in the image" in command for command in foreseen] == [True, False]


def test_none_starts_before_the_pilot_has_begun_and_its_image_is_here(tmp_path):
    engine = SimpleNamespace(start=lambda wanted: None, cancel=None, news=lambda: iter(()), close=lambda: None)
    pilot = Pilot(Allocation(laptop()), tmp_path / "pilot", image="none", engine=lambda folder: engine)
    pilot.start()
    may, inside = pilot._workers._foresight._may, Shape(1, warm=("torch",), contained=True)
    assert not may(WARM)
    pilot.allocation.state = "ACTIVE"
    assert may(WARM) and may(inside)
    pilot.pulls._wanted["image.cpu"] = None
    assert may(WARM) and not may(inside)
    pilot.close()
    assert not may(WARM)
