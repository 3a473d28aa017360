"""On each rank: the world's size, whether allreduce is correct, its speed, and that of messages between two ranks."""

from __future__ import annotations

import signal
import sys

from deeprc.doctor.probe.clock import SIZES, seconds_per_call
from deeprc.doctor.probe.rank import introduce
from deeprc.doctor.probe.say import say

LENGTHS = (1, 1000, 131075)  # one element, one message, several of them with a remainder


def main(patience: int, speed: bool) -> None:
    """Look, and print. Whoever hangs is ended by its own alarm, whatever the launcher does."""
    signal.alarm(patience)
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    introduce(world)
    if world.size == 1:
        return
    wrong = allreduce_errors(world)
    if world.rank == 0:
        say(kind="allreduce", wrong=wrong)
    if speed:
        allreduce(world, SIZES[0])  # warms up: the first calls of a program are no measure
        for size in SIZES:
            both = {"allreduce": allreduce(world, size), "message": messages(world, size)}
            if world.rank == 0:
                say(kind="speed", bytes=size, **both)


def allreduce_errors(world) -> list[str]:
    """What sums over all ranks came out wrong, on any of them."""
    import numpy as np
    from mpi4py import MPI

    wrong = []
    for kind in (np.int64, np.float64):
        for length in LENGTHS:
            index = np.arange(length, dtype=kind)
            total = np.empty_like(index)
            world.Allreduce(index + world.rank, total, op=MPI.SUM)
            expected = index * world.size + world.size * (world.size - 1) // 2  # exact in float64, too
            if not np.array_equal(total, expected):
                wrong.append(f"sum of {length} {np.dtype(kind).name} on rank {world.rank}")
    return sorted({text for texts in world.allgather(wrong) for text in texts})


def allreduce(world, size: int) -> float:
    """Seconds of an allreduce of `size` bytes."""
    import numpy as np
    from mpi4py import MPI

    here, there = np.ones(size // 4, dtype=np.float32), np.empty(size // 4, dtype=np.float32)
    slowest = lambda seconds: world.allreduce(seconds, op=MPI.MAX)  # noqa: E731
    return seconds_per_call(lambda: world.Allreduce(here, there), world.Barrier, slowest)


def messages(world, size: int) -> float:
    """Seconds that a message of `size` bytes takes from the first rank to the last, which may be on another node."""
    import numpy as np
    from mpi4py import MPI

    buffer, last = np.ones(size, dtype=np.uint8), world.size - 1

    def there_and_back() -> None:
        if world.rank == 0:
            world.Send(buffer, dest=last)
            world.Recv(buffer, source=last)
        elif world.rank == last:
            world.Recv(buffer, source=0)
            world.Send(buffer, dest=0)

    slowest = lambda seconds: world.allreduce(seconds, op=MPI.MAX)  # noqa: E731
    return seconds_per_call(there_and_back, world.Barrier, slowest) / 2


if __name__ == "__main__":
    main(int(sys.argv[1]), speed="speed" in sys.argv[2:])
