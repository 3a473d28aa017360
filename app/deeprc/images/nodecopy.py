"""A copy of an image on the node's own disk: hundreds of ranks on one shared file wait for it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path


def node_copy(path: Path, folder: str | Path | None = None) -> Path:
    """The path of the node's copy of an image; made by whoever comes first, while the others wait.

    The file itself is the answer where the node has no room for a copy. `folder` is the node's own disk: the folder
    for temporary files ($TMPDIR) where None.
    """
    path = path.resolve()
    target = Path(folder or tempfile.gettempdir()) / f"deeprc-images-{os.getuid()}"
    copy, temporary = target / path.name, target / f".{path.name}.{os.getpid()}.tmp"
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.stat().st_uid != os.getuid():  # made by somebody else under our name: not to be trusted
            return path
        with (target / f".{path.name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if copy.is_file() and copy.stat().st_size == path.stat().st_size:
                return copy
            if shutil.disk_usage(target).free < 2 * path.stat().st_size:  # what the task itself writes needs room, too
                return path
            shutil.copyfile(path, temporary)
            temporary.chmod(0o755)
            temporary.replace(copy)
            return copy
    except OSError:
        temporary.unlink(missing_ok=True)
        return path
