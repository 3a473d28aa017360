"""The folder that an image is built in, and what killed builds have left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "deeprc-build-"
YOUNG = 60.0  # seconds in which a folder may not have its lock yet


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder in $APPTAINER_TMPDIR, or among the temporary files, that is removed in the end.

    A build holds a lock on it for as long as it lives, so that the next one knows which folders nobody needs any more.
    """
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_place()))
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep() -> list[Path]:
    """Remove the folders of builds that do not live any more; return which."""
    removed = []
    for folder in _place().glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # it lives, or is somebody else's
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                state = os.fstat(handle)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if state.st_uid == os.getuid() and time.time() - state.st_mtime > YOUNG:
                    shutil.rmtree(folder)
                    removed.append(folder)
            finally:
                os.close(handle)
    return removed


def _place() -> Path:
    return Path(os.environ.get("APPTAINER_TMPDIR") or tempfile.gettempdir())
