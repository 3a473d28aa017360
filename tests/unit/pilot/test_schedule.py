"""Who runs next: exact decisions."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.pilot.rooms import Rooms
from deeprc.pilot.schedule import BUSY, IDLE, LEAVING, STARTING, Decision, Schedule, ScheduledWorker
from deeprc.pilot.tasks import Room, Shape, Task
from plain_schedule import NodeRoom, _place, decide_at_once, job
from plain_schedule import decide as decide_plainly
from profiles import examples

ONE, TWO, WARM = Shape(1), Shape(2), Shape(1, warm=("torch",))


def decided(waiting, workers, cores, gpus=0):
    """On one node whose memory is no matter."""
    assign, start, dismiss = decided_on(waiting, workers, [(cores, gpus, 0)])
    return assign, [shape for shape, _ in start], dismiss


def decided_on(waiting, workers, free: list[Room]):
    d = decide_at_once(waiting, workers, free)
    return [(w.name, t.uid) for w, t in d.assign], d.start, [w.name for w in d.dismiss]


def test_workers_are_started_as_far_as_cores_are_free():
    assert decided([job("a"), job("b"), job("c")], [], 2) == ([], [ONE, ONE], [])


def test_a_starting_worker_is_reckoned_with():
    assert decided([job("a"), job("b")], [ScheduledWorker("w", ONE)], 1) == ([], [ONE], [])


def test_idle_workers_take_the_oldest_jobs_of_their_shape():
    workers = [ScheduledWorker("w", ONE, IDLE), ScheduledWorker("v", WARM, IDLE), ScheduledWorker("u", ONE, BUSY)]
    assert decided([job("a"), job("b"), job("c", WARM)], workers, 0) == ([("w", "a"), ("v", "c")], [], [])


def test_idle_workers_of_another_shape_make_room():
    workers = [ScheduledWorker("w", ONE, IDLE), ScheduledWorker("v", ONE, IDLE)]
    assert decided([job("a", TWO)], workers, 0) == ([], [], ["v", "w"])
    assert decided([job("a", TWO)], workers, 1) == ([], [], ["v"])


def test_nobody_is_dismissed_where_enough_leave_already():
    workers = [ScheduledWorker("w", ONE, LEAVING), ScheduledWorker("v", ONE, IDLE)]
    assert decided([job("a", WARM)], workers, 0) == ([], [], [])


def test_a_job_that_needs_more_is_not_overtaken_by_younger_ones():
    """One core is free, two are needed: the free one is kept, and the idle worker leaves instead of taking a job."""
    workers = [ScheduledWorker("w", WARM, IDLE)]
    assert decided([job("a", TWO), job("b"), job("c", WARM)], workers, 1) == ([], [], ["w"])


def test_several_ranks_get_their_cores_before_younger_jobs():
    several = job("m", ranks=2)
    assert decided([several, job("a")], [], 2) == ([], [], [])
    assert decided([several, job("a")], [ScheduledWorker("w", ONE, IDLE)], 1) == ([], [], ["w"])
    assert decided([several, job("a")], [ScheduledWorker("w", ONE, BUSY)], 1) == ([], [], [])
    assert decided([job("a"), several], [ScheduledWorker("w", ONE, IDLE)], 1) == ([("w", "a")], [], [])


def test_tasks_that_are_alike_hold_one_shape_together():
    """A million did not; it is hashed some sixty times for each job."""
    assert job("a", WARM).shape is job("b", WARM).shape
    assert job("a", WARM).shape == WARM != ONE == job("c").shape
    assert hash(WARM) == hash(job("a", WARM).shape)


def test_accelerators_are_counted():
    gpu = Shape(1, 1)
    assert decided([job("a", gpu), job("b", gpu)], [], 4, 1) == ([], [gpu], [])


BIG, SMALL = Shape(1, memory_mb=15), Shape(1, memory_mb=4)


def test_memory_is_counted_as_cores_are():
    waiting = [job("a", BIG), job("b", BIG), job("c", SMALL)]
    # One of BIG fits, and no younger job gets what the other waits for.
    assert decided_on(waiting, [], [(8, 0, 20)]) == ([], [(BIG, 0)], [])
    # Where one runs already, the next waits for its worker, and what is left is free for others.
    assert decided_on(waiting[1:], [ScheduledWorker("w", BIG, BUSY)], [(7, 0, 5)]) == ([], [(SMALL, 0)], [])


def test_memory_is_that_of_a_node_and_not_of_the_pilot():
    assert decided_on([job("a", BIG)], [], [(4, 0, 10), (4, 0, 10)]) == ([], [], [])
    assert decided_on([job("a", BIG)], [], [(4, 0, 10), (4, 0, 20)]) == ([], [(BIG, 1)], [])
    # Cores on one node and memory on another are no place.
    assert decided_on([job("a", BIG)], [], [(0, 0, 20), (4, 0, 10)]) == ([], [], [])


def test_idle_workers_make_room_on_the_node_where_least_is_missing():
    workers = [ScheduledWorker("near", SMALL, IDLE, 0), ScheduledWorker("far", SMALL, IDLE, 1)]
    assert decided_on([job("a", BIG)], workers, [(3, 0, 12), (3, 0, 2)]) == ([], [], ["near"])


def test_what_one_node_is_kept_for_leaves_the_others_to_younger_jobs():
    assert decided_on([job("a", BIG), job("b", SMALL)], [], [(4, 0, 12), (4, 0, 5)]) == ([], [(SMALL, 1)], [])


def test_several_ranks_take_whole_blocks_of_memory_too():
    block = job("m", Shape(1, memory_mb=8), ranks=4, nodes=2)
    after = [job("a", SMALL)]
    for room in ([(4, 0, 16)] * 2, [(4, 0, 16)] * 3):  # RADICAL-Pilot chooses the nodes
        assert decided_on([block, *after], [], room) == ([], [], [])
    assert decided_on([*after, block], [], [(4, 0, 16)] * 2) == ([], [(SMALL, 0)], [])


def test_idle_workers_leave_once_and_not_in_vain():
    """The older one keeps room on the node of that worker, which leaves; there is room on another."""
    old, young = job("old", Shape(4)), job("young")
    waiting, idle = [old, young], [ScheduledWorker("idle", ONE, IDLE, 0)]
    for decision in (decide_at_once, decide_plainly):
        found = decision(waiting, idle, [(3, 0, 0), (2, 0, 0)])
        assert (found.assign, found.start, [w.name for w in found.dismiss]) == ([], [(ONE, 1)], ["idle"])
        # One that waited for long though it fitted fits no longer: nobody leaves for it in vain.
        there = [ScheduledWorker("v", Shape(4), LEAVING), ScheduledWorker("w", ONE, IDLE, 1)]
        assert decision([job("m", ranks=5, nodes=2)], there, [(0, 0, 0), (3, 0, 0)], ["m"]) == Decision()


def test_a_decision_takes_no_longer_with_a_hundred_times_as_many_waiting():
    """Cores are free and memory is not: nothing ends the look early. Some 0.1 ms each on a quiet machine."""
    seconds = {}
    for length in (1000, 100_000):
        schedule = Schedule([(15, 0, 50)] * 100)
        workers = [ScheduledWorker(f"w{i}", Shape(1, memory_mb=10 + i % 3), BUSY, i % 100) for i in range(400)]
        for worker in workers:
            schedule.hire(worker)
        schedule.add(job(str(i), Shape(1, memory_mb=10 + i % 3)) for i in range(length))
        began = time.process_time()  # not the clock: images may be built beside
        for worker in [*workers] * 2:
            worker.turn(IDLE)
            assert [(found, task.shape) for found, task in schedule.decide().assign] == [(worker, worker.shape)]
        seconds[length] = time.process_time() - began
    assert seconds[100_000] < 5 * seconds[1000]  # 100 times, were each looked at


def test_room_is_kept_without_a_look_at_each_node(monkeypatch):
    """The node that has the most of what no node has, after one of 9,408 has changed."""
    schedule, asked = Schedule([(4, 0, 10)] * 9408), []
    schedule.add([job("large", Shape(8))])
    assert schedule.decide() == Decision()
    possible = Rooms.possible
    monkeypatch.setattr(Rooms, "possible", lambda *args, **more: asked.append(args[1]) or possible(*args, **more))
    schedule.rooms.take(7, (1, 0, 0))
    assert schedule.decide() == Decision()
    assert set(asked) == {0, 7}  # the one that changed, and the one that is kept
    asked.clear()
    schedule.rooms.take(7, (-3, 0, 0))
    idle = ScheduledWorker("idle", ONE, node=7)
    schedule.hire(idle)
    idle.turn(IDLE)
    assert schedule.decide().dismiss == [idle]
    assert set(asked) == {0, 7}


shapes = st.builds(
    Shape, st.integers(1, 3), st.integers(0, 1), st.sampled_from([(), ("torch",)]), memory_mb=st.sampled_from([0, 4, 9])
)
several = st.tuples(st.builds(Shape, st.integers(1, 2), memory_mb=st.sampled_from([0, 4])), st.integers(2, 6))
wanted = st.tuples(shapes, st.just(1)) | several
NODE = 4, 1, 10


def compared(schedule: Schedule, waiting, workers, free: list[Room], stuck=(), pressed=()) -> Decision:
    """What the schedule decides, which has heard of changes alone; the same as by looking at everything."""
    plain = decide_plainly(waiting.values(), workers, free, stuck, pressed)
    names = [(w.name, t.uid) for w, t in plain.assign], plain.start, [w.name for w in plain.dismiss]
    found = schedule.decide(stuck, pressed)
    assert plain.awaits == found.awaits
    assert names == ([(w.name, t.uid) for w, t in found.assign], found.start, [w.name for w in found.dismiss])
    return found


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(wanted, st.integers(1, 4)), min_size=1, max_size=14), st.integers(1, 3), st.randoms())
def test_every_job_ends_and_no_node_is_ever_overbooked(wanted, count, random):
    """A made-up pilot: whatever the mix, all jobs get their turn; the oldest is never overtaken for ever.

    RADICAL-Pilot chooses the nodes of several ranks as it likes. Jobs come all at once, or one by one, and some are
    cancelled; workers fail to start, or are on another node than was thought. Each decision is that of the plain form.
    """
    coming, waiting, lasts = [], {}, {}
    schedule = Schedule([NODE] * count)
    for number, ((shape, ranks), steps) in enumerate(wanted):
        each = min(n // m for n, m in zip(NODE, shape.room, strict=True) if m)
        nodes = -(-ranks // each)
        if nodes <= count:
            coming.append(job(str(number), shape, ranks, nodes if ranks > 1 else 0))
            lasts[str(number)] = steps
    workers, running, at_work = [], {}, {}
    at_once, hired = random.random() < 0.5, 0

    def free() -> list[Room]:
        nodes = [NodeRoom(NODE) for _ in range(count)]
        for worker in workers:
            nodes[worker.node].take(worker.shape.room)
        for task, places in running.values():
            for place in places:
                nodes[place].take(task.shape.room)
        assert all(rest >= 0 for node in nodes for rest in node.free)
        assert schedule.rooms.free == [node.free for node in nodes]
        return [node.free for node in nodes]

    def begin(task: Task, places: list[int]) -> None:
        running[task.uid] = waiting.pop(task.uid), places
        schedule.begin(task.uid, places)

    for _ in range(400):
        while coming and (at_once or random.random() < 0.5):
            waiting[coming[0].uid] = coming[0]
            schedule.add([coming.pop(0)])
        if waiting and random.random() < 0.03:
            uid = random.choice([*waiting])
            assert schedule.drop(uid) is waiting.pop(uid)
        assert [*schedule.waiting] == [*waiting]
        several = [uid for uid, task in waiting.items() if task.ranks > 1]
        stuck = several[:1] if random.random() < 0.1 else ()
        pressed = several[:1] if random.random() < 0.3 else ()
        decision = compared(schedule, waiting, workers, free(), stuck, pressed)
        for worker, task in decision.assign:
            assert task.shape == worker.shape
            del waiting[task.uid]
            at_work[worker] = task
        for shape, node in decision.start:
            workers.append(ScheduledWorker(f"w{hired}", shape, node=node))
            schedule.hire(workers[-1])
            hired += 1
        free()
        # What the pilot does meanwhile: workers come and go, tasks of several ranks start when they fit, jobs end.
        for worker, task in list(at_work.items()):
            lasts[task.uid] -= 1
            if not lasts[task.uid]:
                del at_work[worker]
                worker.turn(IDLE)
        for uid in list(running):
            lasts[uid] -= 1
            if not lasts[uid]:
                del running[uid]
                schedule.end(uid)
        for worker in [w for w in workers if w.state == LEAVING or (w.state == STARTING and random.random() < 0.1)]:
            workers.remove(worker)
            schedule.lose(worker)
        for worker in workers:
            if worker.state == STARTING and random.random() < 0.8:
                other = random.randrange(count)
                if NodeRoom(free()[other]).blocks(worker.shape.room) > 0 and random.random() < 0.2:
                    schedule.move(worker, other)
                worker.turn(IDLE)
            elif worker.state == IDLE and random.random() < 0.1:
                worker.turn(LEAVING)  # it was idle for too long
        for task in [task for task in waiting.values() if task.ranks > 1]:
            order = random.sample(range(count), count)
            nodes = [NodeRoom(free()[number]) for number in order]
            before = [node.free for node in nodes]
            if _place(task, nodes):
                places = [
                    number
                    for number, node, room in zip(order, nodes, before, strict=True)
                    for _ in range((room[0] - node.free[0]) // task.shape.cores)
                ]
                assert len(places) == task.ranks
                begin(task, places)
        if not coming and not waiting and not at_work and not running:
            return
    raise AssertionError("some job never had its turn")


def test_several_ranks_that_fit_nowhere_leave_the_nodes_to_younger_jobs_until_they_have_waited_for_long():
    """Then those nodes are kept for them that will do soonest; their idle workers leave, and busy ones get no job."""
    block, young = job("m", ranks=8, nodes=2), [job("a"), job("b"), job("c")]
    idle = [ScheduledWorker(f"idle{node}", ONE, IDLE, node) for node in range(3)]
    free = [(1, 0, 0), (3, 0, 0), (3, 0, 0)]
    usual = decide_at_once([block, *young, job("d")], idle, free)
    assert [task.uid for _, task in usual.assign] == ["a", "b", "c"]
    assert (usual.start, usual.dismiss, usual.awaits) == ([(ONE, 0)], [], None)
    pressed = decide_at_once([block, *young], idle, free, pressed={"m"})
    assert [(worker.name, task.uid) for worker, task in pressed.assign] == [("idle0", "a")]
    assert pressed.start == [(ONE, 0)]
    assert [worker.name for worker in pressed.dismiss] == ["idle1", "idle2"]
    assert decide_at_once([job("o"), block], [], free[1:], pressed={"m"}).start == [(ONE, 0)]  # an older one goes first


def test_a_task_that_fits_but_does_not_start_gets_everything():
    """Its launcher wants neighbouring nodes."""
    idle, other, busy = (
        ScheduledWorker(name, Shape(), state) for name, state in (("a", IDLE), ("b", IDLE), ("c", BUSY))
    )
    block, young = job("block", ranks=4, nodes=2), job("young")
    usual = decide_at_once([block, young, job("more")], [idle, other, busy], [(2, 0, 0)] * 2)
    assert [(worker.name, task.uid) for worker, task in usual.assign] == [("b", "young"), ("a", "more")]
    assert (usual.start, usual.dismiss, usual.awaits) == ([], [], "block")
    stuck = decide_at_once([block, young], [idle, other, busy], [(2, 0, 0)] * 2, {"block"})
    assert (stuck.assign, stuck.start) == ([], [])
    assert {worker.name for worker in stuck.dismiss} == {"a", "b"}
