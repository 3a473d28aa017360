"""RADICAL-Pilot's own scheduler, patched: whole blocks of memory go with the cores of each rank."""

import json
import os
import subprocess
import sys

from deeprc.pilot.resource import PATCHES

sys.path.append(str(PATCHES))

PROGRAM = """
import json, sys
from radical.pilot.agent.scheduler import base
from radical.pilot.agent.scheduler.continuous import Continuous
from radical.pilot.agent.launch_method.base import LaunchMethod
import radical.pilot.constants as rpc

class Log:
    def __getattr__(self, name): return lambda *a, **k: None

class Info:
    cores_per_node, gpus_per_node, lfs_per_node, mem_per_node = 4, 2, 0, 16

def places(busy, *wanted):
    # The nodes of the ranks of each task, one after the other; `busy`: each node's cores and memory in use. After a
    # number stands the task that has been the oldest of several ranks for so long.
    since, wanted = (wanted[0], wanted[1:]) if isinstance(wanted[0], int) else (None, wanted)
    it = Continuous.__new__(Continuous)
    it._log, it._scattered, it._node_offset, it._partition_ids = Log(), True, 0, []
    it._colo_history, it._tagged_nodes = {}, set()
    it._rm, it._active_cnt = type("RM", (), {"info": Info}), 1
    it.slot_status = it._prof = type("P", (), {"prof": lambda *a, **k: None, "__call__": lambda *a: None})()
    it._waitpool, it._deeprc_oldest = {0: {}}, (str(since), -1000.0)  # who has been the oldest for so long
    it.nodes = [{"index": i, "name": f"n{i}", "gpus": [0.0] * 2, "mem": 16 - memory,
                 "cores": [rpc.BUSY] * cores + [rpc.FREE] * (4 - cores)} for i, (cores, memory) in enumerate(busy)]
    tasks = [{"uid": str(number), "description": {"ranks": ranks, "ranks_per_node": each, "cores_per_rank": 1,
              "gpus_per_rank": 0, "lfs_per_rank": 0, "mem_per_rank": memory, "tags": {},
              "metadata": {"node": node, "turn": number}}}
             for number, (ranks, each, memory, node) in enumerate(wanted)]
    _, bad, _ = base.ru.lazy_bisect(tasks, check=it._try_allocation, on_skip=None, log=None)
    if since is not None:  # one that comes meanwhile
        it._waitpool[0] = {task["uid"]: task for task in bad}
        two = {**tasks[-1]["description"], "ranks": 2, "ranks_per_node": 2}
        late = {**tasks[-1], "uid": "late", "description": two}
        late.pop("slots", None)
        it._try_allocation(late)
        tasks.append(late)
    assert all(node["mem"] >= 0 for node in it.nodes)
    return ["".join(s["node_name"] for s in task.get("slots", ())) for task in tasks]

print(json.dumps([places(*case) for case in json.loads(sys.argv[1])]))
"""


def placed(*cases) -> list[list[str]]:
    """What RADICAL-Pilot's own scheduler does, in a process with our changes."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(cases)],
        env={**os.environ, "PYTHONPATH": str(PATCHES)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_radical_pilots_scheduler_takes_whole_blocks_with_their_memory():
    free, half, full = [0, 0], [2, 0], [4, 16]
    assert placed(
        ([free, free], [6, 3, 0, None]),
        ([half, free], [4, 4, 0, None]),
        ([half, half], [4, 4, 0, None]),
        ([half, half], [4, 2, 0, None]),
        ([free, [3, 0], free], [5, 3, 0, None]),
        ([[1, 10], free], [2, 2, 4, None]),
        ([[1, 10], [1, 10]], [2, 1, 6, None]),
        ([[1, 10], [1, 10]], [2, 2, 4, None]),
        ([free, free], [1, 0, 4, 1]),  # a worker, whose node the client has chosen
        ([free, full], [1, 0, 4, 1]),
    ) == [
        ["n0n0n0n1n1n1"],
        ["n1n1n1n1"],  # and not two and two
        [""],  # it waits
        ["n0n0n1n1"],
        ["n0n0n0n2n2"],
        ["n1n1"],
        ["n0n1"],
        [""],
        ["n1"],
        [""],
    ]


def test_radical_pilots_scheduler_passes_over_nothing_that_fits():
    """By bisection it found the last one not to fit, and then the first, and never looked at those between."""
    small, much = [1, 0, 1, None], [1, 0, 12, None]
    assert placed(([[0, 8]], much, small, much, small, [2, 0, 3, None], small, much)) == [
        ["", "n0", "", "n0", "n0n0", "", ""]
    ]


def test_radical_pilots_scheduler_keeps_nodes_for_a_task_that_was_the_oldest_for_long():
    """Until then the largest that fits goes first, and one that fits nowhere lets others pass."""
    free, full = [0, 0], [4, 0]
    wide, node, worker = [12, 4, 0, None], [4, 4, 0, None], [1, 0, 0, 1]
    nodes = [free, full, free, free]
    assert placed(
        (nodes, node, wide),
        (nodes, node, worker, [16, 4, 0, None]),
        (nodes[:3], 0, wide, node, [1, 0, 0, 0]),
        (nodes[:3], 1, wide, node),
    ) == [
        ["", "n0n0n0n0n2n2n2n2n3n3n3n3"],
        ["n0n0n0n0", "", ""],
        ["", "", "n0", ""],
        ["", "n0n0n0n0", "n2n2"],  # another one was the oldest for long
    ]
