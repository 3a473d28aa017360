"""A real Slurm on this machine for tests: see `deeprc.cluster`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conftest import need
from deeprc.cluster import Cluster, ClusterShape
from deeprc.cluster.layout import lay_out


@contextlib.contextmanager
def private_cluster(**shape: object) -> Iterator[Cluster]:
    """One of that `ClusterShape` in a folder of its own; skips, or fails, where there is no Slurm."""
    need("slurm")
    folder = Path(tempfile.mkdtemp(prefix="slurm"))  # short: a socket's name has 107 characters
    try:
        lay_out(folder, ClusterShape(**shape))
        running = Cluster(folder)
        try:
            running.start()
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
