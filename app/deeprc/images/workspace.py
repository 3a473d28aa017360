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

from deeprc.core.files import storage_error

PREFIX = "deeprc-build-"
YOUNG = 60.0  # seconds in which an empty folder may not have its lock yet
ROOM = "free some space there"
OTHER = "name another folder in APPTAINER_TMPDIR (or TMPDIR)"


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder in $APPTAINER_TMPDIR, or among the temporary files, that is removed in the end.

    A build holds a lock on it for as long as it lives, so that the next one knows which folders nobody needs any more.

    Raises
    ------
    StorageError
        Where it cannot be made, or has no room for what is put there.
    """
    sweep()
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_place()))
    except OSError as error:
        raise storage_error(error, _place(), room=ROOM, other=OTHER) from error
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    except OSError as error:
        if error.filename and not str(error.filename).startswith(str(folder)):
            raise  # of another place
        raise storage_error(error, folder, room=ROOM, other=OTHER) from error
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
                begun = time.time() - state.st_mtime > YOUNG or any(folder.iterdir())  # filled once locked
                if state.st_uid == os.getuid() and begun:
                    shutil.rmtree(folder)
                    removed.append(folder)
            finally:
                os.close(handle)
    return removed


def _place() -> Path:
    return Path(os.environ.get("APPTAINER_TMPDIR") or tempfile.gettempdir())
