"""On each rank: torch's process group from the communicator, whether its allreduce is correct, and its speed."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import sys

from deeprc.doctor.probe.clock import SIZES, seconds_per_call
from deeprc.doctor.probe.rank import introduce
from deeprc.doctor.probe.say import say


def main(patience: int, backend: str) -> None:
    """Run the probe and print what it found; `backend` is gloo, nccl (RCCL as well) or xccl."""
    signal.alarm(patience)
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    try:
        import torch
        import torch.distributed as group
    except ImportError as error:
        say(kind="absent", why=str(error))
        return
    if why := lacking(torch, backend):
        say(kind="absent", why=why)
        return
    introduce(world)
    if world.size == 1:
        return
    group_environment(world)
    device = {"gloo": "cpu", "xccl": "xpu:0"}.get(backend, "cuda:0")  # each rank sees its own accelerator first
    if backend != "gloo":
        (torch.xpu if backend == "xccl" else torch.cuda).set_device(0)
    group.init_process_group(backend, timeout=datetime.timedelta(seconds=patience))
    check(torch, group, world, device)
    if world.rank == 0:
        say(kind="group", size=group.get_world_size(), torch=torch.__version__)
    for size in SIZES:
        data = torch.ones(size // 4, dtype=torch.float32, device=device)
        seconds = measure(torch, group, world, data)
        if world.rank == 0:
            say(kind="speed", bytes=size, allreduce=seconds)
    group.destroy_process_group()
    MPI.Finalize()


def lacking(torch, backend: str) -> str | None:
    """Why this torch cannot use the backend."""
    import torch.distributed as group

    if not group.is_available():
        return f"torch {torch.__version__} has no distributed package"
    if backend == "gloo":
        return None
    devices = torch.xpu if backend == "xccl" else torch.cuda
    if not devices.is_available():
        return f"torch {torch.__version__} sees no accelerator"
    return None if group.is_backend_available(backend) else f"torch {torch.__version__} has no {backend}"


def group_environment(world) -> None:
    """Set the variables that torch reads."""
    from mpi4py import MPI

    node = world.Split_type(MPI.COMM_TYPE_SHARED)
    alone = world.allreduce(node.size, op=MPI.MAX) == world.size
    with socket.socket() as free:
        free.bind(("", 0))
        mine = ("127.0.0.1" if alone else socket.gethostname(), free.getsockname()[1])
    address, port = world.bcast(mine)
    values = {"RANK": world.rank, "WORLD_SIZE": world.size, "MASTER_ADDR": address, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in values.items()})
    os.environ.update(LOCAL_RANK=str(node.rank), LOCAL_WORLD_SIZE=str(node.size))


def check(torch, group, world, device: str) -> None:
    """Sums over all ranks, in two types."""
    wrong = []
    for kind in (torch.int64, torch.float32):
        data = torch.arange(1000, dtype=kind, device=device) + world.rank
        group.all_reduce(data)
        expected = torch.arange(1000, dtype=kind, device=device) * world.size + world.size * (world.size - 1) // 2
        if not torch.equal(data, expected):
            wrong.append(f"sum of 1000 {kind} on rank {world.rank}")
    wrong = sorted({text for texts in world.allgather(wrong) for text in texts})
    if world.rank == 0:
        say(kind="allreduce", wrong=wrong)


def measure(torch, group, world, data) -> float:
    """Seconds of an allreduce, the accelerator's work included."""
    from mpi4py import MPI

    def wait() -> None:
        if data.is_cuda:
            torch.cuda.synchronize()
        elif data.device.type == "xpu":
            torch.xpu.synchronize()

    def call() -> None:
        group.all_reduce(data)
        wait()
        data.fill_(1)

    return seconds_per_call(call, world.Barrier, lambda seconds: world.allreduce(seconds, op=MPI.MAX))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
