"""Who runs next: exact decisions."""

from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.pilot.schedule import BUSY, IDLE, LEAVING, STARTING, Worker, decide
from deeprc.pilot.tasks import Shape, Task

ONE, TWO, WARM = Shape(1), Shape(2), Shape(1, warm=("torch",))


def job(uid: str, shape: Shape = ONE, ranks: int = 1) -> Task:
    return Task(uid, ["x"], ranks, shape.cores, shape.gpus, shape.warm)


def decided(waiting, workers, cores, gpus=0):
    d = decide(waiting, workers, cores, gpus)
    return [(w.name, t.uid) for w, t in d.assign], d.start, [w.name for w in d.dismiss]


def test_workers_are_started_as_far_as_cores_are_free():
    assert decided([job("a"), job("b"), job("c")], [], 2) == ([], [ONE, ONE], [])


def test_a_starting_worker_is_reckoned_with():
    assert decided([job("a"), job("b")], [Worker("w", ONE)], 1) == ([], [ONE], [])


def test_idle_workers_take_the_oldest_jobs_of_their_shape():
    workers = [Worker("w", ONE, IDLE), Worker("v", WARM, IDLE), Worker("u", ONE, BUSY)]
    assert decided([job("a"), job("b"), job("c", WARM)], workers, 0) == ([("w", "a"), ("v", "c")], [], [])


def test_idle_workers_of_another_shape_make_room():
    workers = [Worker("w", ONE, IDLE), Worker("v", ONE, IDLE)]
    assert decided([job("a", TWO)], workers, 0) == ([], [], ["v", "w"])
    assert decided([job("a", TWO)], workers, 1) == ([], [], ["v"])


def test_nobody_is_dismissed_where_enough_leave_already():
    workers = [Worker("w", ONE, LEAVING), Worker("v", ONE, IDLE)]
    assert decided([job("a", WARM)], workers, 0) == ([], [], [])


def test_a_job_that_needs_more_is_not_overtaken_by_younger_ones():
    """One core is free, two are needed: the free one is kept, and the idle worker leaves instead of taking a job."""
    workers = [Worker("w", WARM, IDLE)]
    assert decided([job("a", TWO), job("b"), job("c", WARM)], workers, 1) == ([], [], ["w"])


def test_several_ranks_get_their_cores_before_younger_jobs():
    several = job("m", ranks=2)
    assert decided([several, job("a")], [], 2) == ([], [], [])
    assert decided([several, job("a")], [Worker("w", ONE, IDLE)], 1) == ([], [], ["w"])
    assert decided([several, job("a")], [Worker("w", ONE, BUSY)], 1) == ([], [], [])
    assert decided([job("a"), several], [Worker("w", ONE, IDLE)], 1) == ([("w", "a")], [], [])


def test_accelerators_are_counted():
    gpu = Shape(1, 1)
    assert decided([job("a", gpu), job("b", gpu)], [], 4, 1) == ([], [gpu], [])


shapes = st.sampled_from([ONE, TWO, WARM])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(shapes, st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=12), st.integers(3, 6))
def test_every_job_ends_and_cores_are_never_overbooked(wanted, cores):
    """A made-up pilot: whatever the mix, all jobs get their turn, and the oldest is never overtaken for ever."""
    waiting = {str(i): job(str(i), shape, ranks if shape == ONE else 1) for i, (shape, ranks, _) in enumerate(wanted)}
    lasts = {str(i): steps for i, (_, _, steps) in enumerate(wanted)}
    workers, several, at_work = [], {}, {}
    for _ in range(400):
        free = cores - sum(w.shape.cores for w in workers) - sum(t.ranks for t in several.values())
        assert free >= 0
        decision = decide(waiting.values(), workers, free, 0)
        for worker, task in decision.assign:
            del waiting[task.uid]
            worker.state, at_work[worker] = BUSY, task
        for worker in decision.dismiss:
            worker.state = LEAVING
        workers += [Worker(f"w{len(workers)}", shape) for shape in decision.start]
        # What the pilot does meanwhile: workers come and go, tasks of several ranks start when they fit, jobs end.
        for worker, task in list(at_work.items()):
            lasts[task.uid] -= 1
            if not lasts[task.uid]:
                del at_work[worker]
                worker.state = IDLE
        for uid in list(several):
            lasts[uid] -= 1
            if not lasts[uid]:
                del several[uid]
        workers = [w for w in workers if w.state != LEAVING]
        for worker in workers:
            worker.state = IDLE if worker.state == STARTING else worker.state
        free = cores - sum(w.shape.cores for w in workers) - sum(t.ranks for t in several.values())
        for task in [t for t in waiting.values() if t.ranks > 1 and t.ranks <= free][:1]:
            several[task.uid] = waiting.pop(task.uid)
        if not waiting and not at_work and not several:
            return
    raise AssertionError("some job never had its turn")


def test_a_task_whose_free_cores_are_on_the_wrong_nodes_gets_whole_ones():
    """Two workers idle and one is busy; four of eight cores are free, but on two nodes."""
    idle, other, busy = (Worker(name, Shape(), state) for name, state in (("a", IDLE), ("b", IDLE), ("c", BUSY)))
    block, young = Task("block", ["x"], ranks=4), Task("young", ["x"])
    usual = decide([block, young], [idle, other, busy], 4, 0)
    assert [(worker.name, task.uid) for worker, task in usual.assign] == [("b", "young")]
    stuck = decide([block, young], [idle, other, busy], 4, 0, {"block"})
    assert (stuck.assign, stuck.start) == ([], [])
    assert {worker.name for worker in stuck.dismiss} == {"a", "b"}
