"""Jobs between Snakemake and the pilots."""

from __future__ import annotations

import threading
from collections import deque
from types import SimpleNamespace

import pytest

from deeprc.core.errors import ConfigError
from deeprc.core.files import StorageError
from snakemake_executor_plugin_radical_pilot import fleet, kinds
from snakemake_executor_plugin_radical_pilot.resources import PlacementError, Request
from snakemake_executor_plugin_radical_pilot.routes import Routes
from snakemake_executor_plugin_radical_pilot.routing import PilotRoom
from snakemake_executor_plugin_radical_pilot.shapes import read


def test_a_job_whose_resources_are_not_understood_fails_alone(monkeypatch):
    """They may be computed from a file, so that nobody could say so before."""

    def asks(job: str) -> Request:
        if job == "b":
            raise PlacementError("rule b: the resource mem_mb is negative")
        return Request(cores_per_rank=2)

    failed, taken = [], []
    for module in (fleet, kinds):
        monkeypatch.setattr(module, "asks", asks, raising=False)
    monkeypatch.setattr(fleet, "give_up", lambda run, job, error: failed.append((job, str(error))))
    kind = object.__new__(kinds.PilotKind)
    kind.shape, kind.room, kind.refused = SimpleNamespace(most=1, least=1, name=""), PilotRoom(4), False
    kind.waiting, kind._parts = deque(), 0.0
    kind.lanes = [SimpleNamespace(pilots=SimpleNamespace(gone=False, given_up=False), take=taken.extend)]
    all_pilots = object.__new__(fleet.Fleet)
    all_pilots._run = SimpleNamespace(events=object(), lock=threading.RLock())
    all_pilots.kinds, all_pilots._routes = [kind], Routes([kind])
    all_pilots._waits_for_room = lambda: False
    all_pilots.submit(["a", "b", "c"])
    assert taken == ["a", "c"]
    assert failed == [("b", "rule b: the resource mem_mb is negative")]


def test_within_a_job_the_pilot_has_the_image_that_its_shapes_name(monkeypatch):
    """The Snakefile makes that image's digest a parameter of its rules."""
    monkeypatch.setattr(kinds, "at_hand", lambda site: SimpleNamespace(job="4711"))
    monkeypatch.setattr(kinds, "PilotKind", lambda run, shape, *_, **given: shape)

    def made(*words: str) -> list:
        settings = SimpleNamespace(wish=read(words), site="frontera")
        run = SimpleNamespace(settings=settings, progress=SimpleNamespace(say=lambda line: None))
        return [(shape.image, shape.replacements, shape.most) for shape in kinds.kinds(run, None, iter(()))]

    assert made("nodes=1,max=3") == made("auto") == [(None, 0, 1)]
    assert made("partition=a,image=cpu", "partition=b,image=cpu,max=2") == made("auto,image=cpu") == [("cpu", 0, 1)]
    with pytest.raises(ConfigError, match=r"with one image\n  found: image=cpu, no image named"):
        made("partition=a,image=cpu", "partition=b")


def test_a_pilot_that_takes_no_jobs_is_lost_with_them():
    """As its disk is full: from a thread of its own nobody would hear of it."""

    def submit(tasks: list) -> None:
        raise OSError(28, "No space left on device")

    why, made = [], []
    state = SimpleNamespace(pilot=SimpleNamespace(allocation=SimpleNamespace(fail=why.append)))
    lane = kinds.Lane(state, SimpleNamespace(submit=submit), SimpleNamespace(tasks=made.extend))
    lane.take([*range(kinds.AT_ONCE + 1)])
    assert made == [*range(kinds.AT_ONCE + 1)]  # all are its jobs: one that is not would be waited for for ever
    assert why == ["jobs could not be handed to it: OSError: [Errno 28] No space left on device"]


@pytest.mark.requires("tmpfs")
def test_jobs_wait_while_the_disk_of_the_runs_folder_is_full(tmpfs, monkeypatch):
    disk, said, given = tmpfs("16m"), [], []
    all_pilots = object.__new__(fleet.Fleet)
    progress = SimpleNamespace(say=said.append)
    folder = SimpleNamespace(path=disk / "runs" / "1")
    all_pilots._run = SimpleNamespace(events=object(), lock=threading.RLock(), folder=folder, progress=progress)
    all_pilots._full, all_pilots._looked = False, 0.0
    kind = SimpleNamespace(gone=False, add=lambda job, asked: None, hand_on=lambda: given.append("jobs"))
    all_pilots.kinds, all_pilots._routes = [kind], SimpleNamespace(kind=lambda job: kind)
    monkeypatch.setattr(fleet, "asks", lambda job: None)
    monkeypatch.setattr(fleet, "LOOK", -1)
    (disk / "large").write_bytes(bytes(13_000_000))
    all_pilots.submit(["a"])
    all_pilots.submit(["b"])
    assert given == [] and all_pilots._waits_for_room()
    (disk / "large").unlink()
    all_pilots.submit(["c"])
    assert given == ["jobs"]
    assert said == [
        f"no space is left in {disk}/runs (3 MB free): jobs wait until there is; remove there what is not needed, as"
        " the folders of older runs; or name another folder by --radical-pilot-folder",
        "there is room again: jobs go on",
    ]
    (disk / "large").write_bytes(bytes(13_000_000))
    all_pilots._run.events = None
    with pytest.raises(StorageError, match=r"/runs: no space is left for the run's folder\n  found: 3 MB"):
        all_pilots.submit(["a"])


def test_a_pilot_that_fails_halfway_through_its_start_is_closed(monkeypatch):
    """Else what it has begun lives on: nobody looks after it, since it is no lane yet."""
    done = []

    class Halfway:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def begin(self) -> None:
            raise OSError(28, "No space left on device")

        def close(self, *, keep: bool) -> None:
            done.append("closed")

    monkeypatch.setattr(kinds, "Pilots", Halfway)
    monkeypatch.setattr(kinds, "Lane", lambda *_: None)
    kind = object.__new__(kinds.PilotKind)
    kind.shape, kind._started, kind.lanes = SimpleNamespace(name="", most=1, replacements=0), 0, []
    kind._run = kind._settings = kind.asking = kind._writer = kind._numbers = kind.template = None
    with pytest.raises(OSError, match="No space"):
        kind._start()
    assert (done, kind.lanes) == (["closed"], [])


class Idle:
    """A shape of which one pilot is kept with nothing to do, or has the only job, in the queue."""

    def __init__(self, name: str, least: int, jobs: dict, state: str | None, ended: list) -> None:
        allocation = SimpleNamespace(queued=True, active=not state, ended=False, queue_state=state)
        pilot = SimpleNamespace(allocation=allocation)
        lane = SimpleNamespace(
            state=SimpleNamespace(called=f"the pilot {name}", pilot=pilot, jobs=jobs, announced=not state),
            pilots=SimpleNamespace(gone=False, replacing=False, given_up=False),
            watch=SimpleNamespace(look=lambda: None), since=None if jobs else -1e9,
        )  # fmt: skip
        self.kind = object.__new__(kinds.PilotKind)
        self.kind.shape, self.kind.lanes, self.kind.waiting = read([f"partition={name},min={least}"]).shapes[0], [], ()
        self.kind.lanes.append(lane)
        self.kind._end = lambda lane, why: ended.append(why)


@pytest.mark.parametrize("state", ["PENDING (Resources)", None])
def test_a_pilot_that_min_keeps_idle_gives_way_to_one_in_the_queue(state):
    """It may hold the very nodes that the other waits for. One that has left the queue needs none."""
    ended = []
    kept, other = Idle("cpu", 1, {}, None, ended), Idle("debug", 0, {"a": 1}, state, ended)
    other.kind.lanes[0].state.pilot.allocation.active = False
    all_pilots = object.__new__(fleet.Fleet)
    all_pilots.kinds, all_pilots._asked = [kept.kind, other.kind], -1e9
    all_pilots._run = SimpleNamespace(lock=threading.RLock(), settings=SimpleNamespace(idle=5.0))
    all_pilots._metered = fleet.Metered(all_pilots._run)
    all_pilots._waits_for_room, all_pilots._show = lambda: False, lambda lanes: None
    all_pilots.look()
    said = (
        "the pilot cpu has had nothing to do for 5 s: it ends, as jobs wait for the pilot debug, which queues; it is"
        " started anew for the next jobs"
    )
    assert ended == ([said] if state else [])
