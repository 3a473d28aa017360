"""What a checkpoint costs the training that it is of: synchronous, and beside it, on ranks of this machine.

Each step computes for a while and then waits for the other ranks, as trainings do; its time shows what a checkpoint
that is being written takes away. Sources of the question: NeMo Automodel #3131 (blocked time small, steps slower).
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deeprc.bench.contest import ratios
from deeprc.bench.machine import describe
from deeprc.bench.start import started, tell
from deeprc.learning.checkpoints import CheckpointStore
from deeprc.learning.peers import Peers, join

SAVES = 9
STEPS = 60  # between two saves
STEP = 0.02  # seconds that a step computes


def bench_checkpoint(megabytes: int, peers: Peers, folder: Path) -> dict:
    """Time saves; every rank calls it and gets the same result.

    Returns
    -------
    `blocked_ms`: what the training waits for a save, `sync` until it is on the disk, `async` until it may go on;
    `step_ms`: medians of steps while nothing is written (`idle`) and while a checkpoint is (`writing`); `step_ratio`:
    median and quartiles over the saves of the second beside the first, of the steps right before and after each save;
    `extra_mb`: what the asynchronous saves have added to the ranks' memory, all together.
    """
    tensors = {f"model.{number}": np.ones(250_000, np.float32) for number in range(megabytes)}
    turns = _turns()
    for array in tensors.values():
        array += 1  # touched: their memory is there
    idle, pairs = [_step(peers, turns) for _ in range(STEPS)], []
    before = _peak()
    store, blocked, writing = CheckpointStore(folder / "async", peers), [], []
    store.save(0, tensors, {})  # makes its memory
    store.finish()
    for save in range(1, SAVES + 1):
        peers.allgather(None)
        began = time.perf_counter()
        store.save(save, tensors, {})
        blocked.append(time.perf_counter() - began)
        during = []
        while any(peers.allgather(store.busy)):
            during.append(_step(peers, turns))
            store.poll()
        idle += [_step(peers, turns) for _ in range(STEPS)]
        writing += during
        if peers.rank == 0:
            tell(f"save {save} of {SAVES}, beside {len(during)} steps")
        pairs.append(tuple({"seconds": statistics.median(each)} for each in (during, idle[-2 * STEPS :])))
    extra = sum(peers.allgather(_peak() - before))
    both = {"sync": [], "async": blocked}
    store = CheckpointStore(folder / "sync", peers)
    for save in range(SAVES + 1):
        peers.allgather(None)
        began = time.perf_counter()
        store.save(save, tensors, {})
        store.finish()
        peers.allgather(None)
        both["sync"] += [time.perf_counter() - began] if save else []
    slowest = {kind: [max(times) for times in zip(*peers.allgather(each), strict=True)] for kind, each in both.items()}
    steps = {"idle": idle, "writing": writing}
    return {
        "blocked_ms": {kind: _ms(times) for kind, times in slowest.items()},
        "step_ms": {
            kind: _ms([time for times in peers.allgather(each) for time in times]) for kind, each in steps.items()
        },
        "step_ratio": ratios(pairs),
        "extra_mb": round(extra * 1024 / 10**6),
        "steps_while_writing": len(writing),
    }


def _step(peers: Peers, turns: int) -> float:
    began = time.perf_counter()
    _compute(turns)
    peers.allgather(None)
    return time.perf_counter() - began


def _compute(turns: int) -> None:
    """Work that lets other threads of the process run, as the kernels of torch do."""
    matrix = np.ones((128, 128), np.float32)
    for _ in range(turns):
        matrix = matrix @ matrix * np.float32(1 / 128)


def _turns() -> int:
    """How many turns take STEP seconds, measured here."""
    _compute(10)
    began = time.perf_counter()
    _compute(200)
    return max(1, round(200 * STEP / (time.perf_counter() - began)))


def _peak() -> int:
    """The most memory that this process had, kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 2)


def run(megabytes: int, ranks: int, say: Callable[[str], None] = print) -> dict:
    """Start the ranks on this machine, which save into the working directory, and measure; see `bench_checkpoint`.

    Raises
    ------
    DeepRCError
        When the ranks fail.
    """
    folder = Path(tempfile.mkdtemp(prefix=".bench-checkpoint-", dir="."))
    try:
        measured = started(ranks, "deeprc.bench.checkpoint", [megabytes, folder], say=say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"mb": megabytes, "ranks": ranks, **measured, "machine": describe(("deeprc", "numpy", "mpi4py", "mpich"))}


if __name__ == "__main__":
    ours = join()
    figures = bench_checkpoint(int(sys.argv[1]), ours, Path(sys.argv[2]))
    if ours.rank == 0:
        print(json.dumps(figures))
