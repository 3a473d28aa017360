"""torch's process group among the ranks of a world."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
import torch.distributed as dist

from deeprc.learning.backends import choose, refuse_shared
from deeprc.learning.peers import Peers
from deeprc.learning.torch.device import hardware

PATIENCE = datetime.timedelta(minutes=10)  # a rank may compile, or read, for so long while others wait for it


@contextmanager
def group(peers: Peers, asked: str = "auto", on: str | None = None) -> Iterator[str]:
    """torch's default process group, open within the body; what it travels by.

    On one node nothing listens but on loopback, and ranks meet in a private folder; on several they meet at a port of
    the first. `mpi4py` opens no group: gradients go through `peers`.

    Parameters
    ----------
    on
        The kind of device that the weights are on: `cpu` may be so beside accelerators, too; found when left out.

    Raises
    ------
    ConfigError
        Where the backend is not here, or two ranks have one accelerator.
    """
    here = hardware()
    here = replace(here, device=on or here.device)
    backend = choose(asked, here)
    name = str(torch.cuda.get_device_properties(0).uuid) if here.device == "cuda" and backend == "nccl" else None
    refuse_shared(peers.allgather((socket.gethostname(), name)))
    if backend == "mpi4py" or peers.size == 1:
        yield backend
        return
    folder = tempfile.mkdtemp(prefix="deeprc-") if peers.rank == 0 else None
    try:
        if backend == "mpi":
            dist.init_process_group("mpi")
        else:
            store = _store(peers, peers.allgather(folder)[0])
            dist.init_process_group(backend, store=store, rank=peers.rank, world_size=peers.size, timeout=PATIENCE)
        yield backend
        dist.destroy_process_group()
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _store(peers: Peers, folder: str) -> dist.Store:
    if peers.world.nodes == 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        return dist.FileStore(f"{folder}/store", peers.size)
    with socket.socket() as free:
        free.bind(("", 0))
        host, port = peers.allgather((socket.gethostname(), free.getsockname()[1]))[0]
    return dist.TCPStore(host, port, peers.size, is_master=peers.rank == 0, timeout=PATIENCE)
