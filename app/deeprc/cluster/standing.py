"""The cluster of a user's that stays until it is taken down: in one private folder, at most one of it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from deeprc.cluster.daemons import Cluster
from deeprc.cluster.layout import ELSEWHERE, OWN, SHAPE, ClusterShape, lay_out, require_path, require_programs
from deeprc.core.errors import ConfigError
from deeprc.core.ownership import private

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
        Where there is no Slurm here, one of another shape runs in that folder, or it lies in another one's.
    """
    require_programs()
    require_path(folder)
    if outer := next((each for each in folder.resolve().parents if standing(each)), None):
        raise ConfigError("this folder lies in that of another cluster", where=folder, found=outer, fix=ELSEWHERE)
    private(folder, fix=ELSEWHERE)
    there = standing(folder)
    if there and there.shape != shape:
        raise ConfigError(
            "another cluster stands in this folder", where=folder, found=there.shape, expected=shape,
            fix=f"deeprc cluster down, or {ELSEWHERE}",
        )  # fmt: skip
    if not there:
        if any(folder.iterdir()):
            raise ConfigError("something else is in this folder", where=folder, fix=ELSEWHERE)
        lay_out(folder, shape)
        there = Cluster(folder)
    try:
        return there, there.start()
    except BaseException:
        with suppress(Exception):
            down(folder)
        raise


def down(folder: Path) -> bool:
    """End it, with all that runs in it, and remove its folder; whether there was one.

    Raises
    ------
    ConfigError
        Where something else lies in the folder, which would be removed with it; nothing has ended then.
    """
    there = standing(folder)
    if not there:
        return False
    if others := sorted(path.name for path in folder.iterdir() if not any(map(path.match, OWN))):
        raise ConfigError(
            "something else is in the cluster's folder, and would be removed with it", where=folder,
            found=", ".join(others), fix="move it away (another cluster: deeprc cluster down --folder …), then again",
        )  # fmt: skip
    there.stop()
    shutil.rmtree(folder)
    return True
