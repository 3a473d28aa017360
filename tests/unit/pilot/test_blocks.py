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
    # The nodes of the ranks of each task, one after the other; `busy`: each node's cores and memory in use.
    it = Continuous.__new__(Continuous)
    it._log, it._scattered, it._node_offset, it._partition_ids = Log(), True, 0, []
    it._colo_history, it._tagged_nodes = {}, set()
    it._rm, it._active_cnt = type("RM", (), {"info": Info}), 1
    it.slot_status = it._prof = type("P", (), {"prof": lambda *a, **k: None, "__call__": lambda *a: None})()
    it.nodes = [{"index": i, "name": f"n{i}", "gpus": [0.0] * 2, "mem": 16 - memory,
                 "cores": [rpc.BUSY] * cores + [rpc.FREE] * (4 - cores)} for i, (cores, memory) in enumerate(busy)]
    tasks = [{"uid": str(number), "description": {"ranks": ranks, "ranks_per_node": each, "cores_per_rank": 1,
              "gpus_per_rank": 0, "lfs_per_rank": 0, "mem_per_rank": memory, "tags": {}, "metadata": {"node": node}}}
             for number, (ranks, each, memory, node) in enumerate(wanted)]
    base.ru.lazy_bisect(tasks, check=it._try_allocation, on_skip=None, log=None)
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
