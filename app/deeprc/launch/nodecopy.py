"""A copy of an image on each node's own disk: hundreds of ranks that start from one shared file wait for each other."""

from __future__ import annotations

from pathlib import Path

from deeprc.sites.model import Storage

PROGRAM = Path(__file__).with_name("node-copy.sh")


def copying(image: str, folder: str) -> list[str]:
    """Words that stand before a container's: the image that these name is then the node's copy.

    `folder` is on the node's own disk; `$NAME` in it and in `image` are variables of the job.
    """
    return ["bash", str(PROGRAM), folder, image]


def folder_for(storage: Storage, ranks: int) -> str | None:
    """Where on a node the images of that many ranks are copied to; None where they start from the shared file."""
    wanted = storage.node_local is not None and ranks >= storage.node_copy_ranks
    return own_folder(storage.node_local) if wanted else None


def own_folder(node_local: str) -> str:
    """The user's folder on a disk that others may write to, too."""
    return f"{node_local}/deeprc-images-$USER"
