"""What every engine has to keep (`deeprc.pilot.engine`), tried with RADICAL-Pilot and with a second one."""

from __future__ import annotations

import queue
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from deeprc.pilot import Allocation, Pilot, Task
from deeprc.pilot.engine import Launch, PilotNews, TaskNews, Wanted
from deeprc.pilot.link import Link
from deeprc.pilot.processes import members
from deeprc.sites import load_site
from local_engine import Local
from pilots import wait_for

SECONDS = 240  # that RADICAL-Pilot may take to start on a busy machine


def allocation() -> Allocation:
    return Allocation(load_site("localhost"), cores=2, runtime=10)


class Tried:
    """An engine that has been started, and what it has told."""

    def __init__(self, make, folder: Path) -> None:
        there = allocation()
        self.folder, self.mark, self.engine = folder, there.mark, make(folder / "pilot")
        self.told: list[PilotNews | TaskNews] = []
        self._more: queue.SimpleQueue = queue.SimpleQueue()
        folder.joinpath("pilot").mkdir(mode=0o700)
        self.engine.start(Wanted(there.site, there.partition, 1, there.cores, there.gpus, 10, there.mark))
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        for news in self.engine.news():
            self.told.append(news)

    def of(self, uid: str) -> list[TaskNews]:
        return [news for news in self.told if isinstance(news, TaskNews) and news.uid == uid]

    def states(self, uid: str) -> list[str]:
        return [news.state for news in self.of(uid)]

    def run(self, *tasks: Launch) -> list[TaskNews]:
        """How tasks ended."""
        self.engine.submit(tasks)
        wait_for(lambda: all(set(self.states(task.uid)) - {"RUNNING"} for task in tasks), 60)
        return [self.of(task.uid)[-1] for task in tasks]

    def shell(self, uid: str, line: str, **more) -> Launch:
        return Launch(uid, ["/bin/bash", "-c", f"cd {self.folder}; {line}"], **more)


@pytest.fixture(scope="module", params=[Local, Link], ids=["local", "radical"])
def tried(request, tmp_path_factory):
    one = Tried(request.param, tmp_path_factory.mktemp("engine"))
    yield one
    one.engine.close()


def sleepers(*seconds: str) -> list[psutil.Process]:
    """The processes that sleep for so long."""
    found = psutil.process_iter(["cmdline"])  # None of what has just ended
    return [each for each in found if each.info["cmdline"] in [["sleep", number] for number in seconds]]


def test_it_tells_that_tasks_run_once_and_no_more_of_itself(tried):
    wait_for(lambda: any(news == PilotNews("ACTIVE", said=news.said, explained=news.explained)
                         for news in tried.told if isinstance(news, PilotNews)), SECONDS)  # fmt: skip
    states = [news.state for news in tried.told if isinstance(news, PilotNews)]
    assert set(states) <= {"STARTING", "ACTIVE"}
    assert states.count("ACTIVE") == 1


def test_a_task_is_told_with_its_cores_as_it_starts_and_with_its_code_at_the_end(tried):
    done, failed = tried.run(
        tried.shell("well", "sleep 1; touch made"),
        tried.shell("ill", "echo first >&2; echo the reason is this >&2; exit 3"),
    )
    assert tried.states("well") == ["RUNNING", "DONE"]
    assert tried.states("ill") == ["RUNNING", "FAILED"]
    assert (done.code, done.reason, failed.code, failed.reason) == (0, None, 3, "the reason is this")
    for uid in ("well", "ill"):
        ((_, core),) = tried.of(uid)[0].cores
        assert core in (0, 1)
        assert tried.of(uid)[0].nodes == [0]
    assert (tried.folder / "made").exists()


def test_what_does_not_fit_waits_and_is_started_in_its_order(tried):
    line = "date +%s.%N >> {0}; sleep 0.5; date +%s.%N >> {0}"
    tasks = [tried.shell(name, line.format(name), cores_per_rank=2) for name in ("one", "two", "three")]
    assert [news.state for news in tried.run(*tasks)] == ["DONE"] * 3
    spans = [[*map(float, (tried.folder / task.uid).read_text().split())] for task in tasks]
    assert spans[0][1] <= spans[1][0] < spans[1][1] <= spans[2][0]


def test_a_script_is_started_once_where_its_ranks_are_written_down(tried):
    folder = tried.folder / "script"
    folder.mkdir()
    script = folder / "launch.sh"
    script.write_text(f'. {folder}/placement.sh; echo "$DEEPRC_HOSTFILE $DEEPRC_OFFSET" >> {folder}/started\n')
    (ended,) = tried.run(Launch("ranks", ["unused"], 2, 1, nodes=1, script=str(script), slots=2))
    assert (ended.state, ended.nodes) == ("DONE", [0, 0])
    assert sorted(core for _, core in tried.of("ranks")[0].cores) == [0, 1]
    assert (folder / "started").read_text() == f"{folder}/hosts 0\n"
    assert len((folder / "hosts").read_text().splitlines()) == 2


def test_tasks_that_run_or_wait_are_cancelled_and_unknown_ones_are_nothing(tried):
    tasks = [tried.shell(uid, f"sleep 98{n} & wait", cores_per_rank=2) for n, uid in enumerate(("runs", "waits"))]
    tried.engine.submit(tasks)
    wait_for(lambda: tried.states("runs") == ["RUNNING"], 60)
    tried.engine.cancel(["runs", "waits", "unknown"])
    wait_for(lambda: tried.states("runs")[-1:] == tried.states("waits")[-1:] == ["CANCELED"], 60)
    wait_for(lambda: not sleepers("980", "981"), 20)
    assert tried.run(tried.shell("after", "true"))[0].state == "DONE"


def test_closed_it_leaves_nothing_and_tells_nothing_more(tried):
    """The last one: also as something runs, and when it is closed again."""
    tried.engine.submit([tried.shell("last", "sleep 987 & sleep 986")])
    wait_for(lambda: tried.states("last") == ["RUNNING"], 60)
    began = time.monotonic()
    tried.engine.close()
    tried.listener.join(10)
    assert not tried.listener.is_alive()
    assert time.monotonic() - began < 30
    assert members(tried.mark, None) == []
    tried.engine.close()
    tried.engine.submit([tried.shell("late", "touch late")])
    time.sleep(0.5)
    assert not (tried.folder / "late").exists()


def test_a_pilot_runs_its_tasks_by_another_engine(tmp_path):
    """One by a worker, one on two real MPI ranks; and the pilot's own end is told."""
    pilot = Pilot(allocation(), tmp_path / "pilot", image="none", engine=Local)
    pilot.start()
    try:
        program = "from mpi4py import MPI; print(MPI.COMM_WORLD.size, file=open(f'rank{MPI.COMM_WORLD.rank}', 'w'))"
        world = ["/bin/bash", "-c", f'cd {tmp_path}; exec {sys.executable} -c "{program}"']
        pilot.submit([Task("one", ["/bin/bash", "-c", f"echo $0 > {tmp_path}/one"]), Task("two", world, ranks=2)])
        outcomes = []
        wait_for(lambda: outcomes.extend(pilot.outcomes()) or len(outcomes) == 2, 60)
        assert {outcome.uid: (outcome.state, outcome.reason) for outcome in outcomes} == {
            "one": ("DONE", None), "two": ("DONE", None),
        }  # fmt: skip
        assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == ["2\n", "2\n"]
        assert (tmp_path / "one").exists()
    finally:
        pilot.close()
    assert pilot.allocation.ended
    assert members(pilot.allocation.mark, None) == []
