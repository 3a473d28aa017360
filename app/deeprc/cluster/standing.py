"""The cluster of a user's that stays until it is taken down: in one private folder, at most one of it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from deeprc.cluster.daemons import Cluster
from deeprc.cluster.layout import SHAPE, ClusterShape, lay_out, require_programs
from deeprc.core.errors import ConfigError
from deeprc.core.ownership import private

FIX = "name another folder by --folder"
# Of `site-configs/cluster-local`, which says the same.
DEFAULT = ClusterShape(nodes=3, cores=2, gpus=2, task="task/affinity", silence=10)


def place() -> Path:
    """Where it is, if nobody names another folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "deeprc" / "cluster"


def standing(folder: Path) -> Cluster | None:
    """The one in a folder, whether its daemons run or not; None where there is none."""
    return Cluster(folder) if (folder / SHAPE).is_file() else None


def up(folder: Path, shape: ClusterShape = DEFAULT) -> tuple[Cluster, list[str]]:
    """Have it run: what is missing of it is started. The cluster, and the daemons that were started.

    Raises
    ------
    ConfigError
        Where there is no Slurm here, or one of another shape runs in that folder.
    """
    require_programs()
    private(folder, fix=FIX)
    there = standing(folder)
    if there and there.shape != shape:
        raise ConfigError(
            "another cluster stands in this folder", where=folder, found=there.shape, expected=shape,
            fix="deeprc cluster down, or name another folder by --folder",
        )  # fmt: skip
    if not there:
        if any(folder.iterdir()):
            raise ConfigError("something else is in this folder", where=folder, fix=FIX)
        lay_out(folder, shape)
        there = Cluster(folder)
    try:
        return there, there.start()
    except BaseException:
        with suppress(Exception):
            down(folder)
        raise


def down(folder: Path) -> bool:
    """End it, with all that runs in it, and remove its folder; whether there was one."""
    there = standing(folder)
    if not there:
        return False
    there.stop()
    shutil.rmtree(folder)
    return True
