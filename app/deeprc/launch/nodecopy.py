"""A copy of an image on each node's own disk: hundreds of ranks that start from one shared file wait for each other."""

from __future__ import annotations

import os
from pathlib import Path

from deeprc.sites.model import Storage

PROGRAM = Path(__file__).with_name("node-copy.sh")


def copying(image: str, disk: str) -> list[str]:
    """Words that stand before a container's: the image that these name is then the node's copy.

    `disk` is the node's own; `$NAME` in it and in `image` are variables of the job.
    """
    return ["bash", str(PROGRAM), disk, image]


def disk_for(storage: Storage, ranks: int) -> str | None:
    """The node's disk that the images of that many ranks are copied to; None where they start from the shared file."""
    return storage.node_local if ranks >= storage.node_copy_ranks else None


def own_folder(disk: str) -> Path:
    """Where on this node the user's copies are: others may write to the disk, too. As the program has it."""
    return Path(os.path.expandvars(disk)) / f"deeprc-images-{os.geteuid()}"
