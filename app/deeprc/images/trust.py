"""Which files of a store are believed as they stand, and the digests of the others, each read once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from deeprc.core.errors import command
from deeprc.core.files import write_text
from deeprc.core.ownership import OwnershipError, fault, is_foreign, open_to, private, require_fixed, user, writers
from deeprc.images import sif


def cache() -> Path:
    """The user's own cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "deeprc"


def closed(folder: Path) -> str | None:
    """Why the user cannot look into a folder that is there; None where he can, or where nothing is there."""
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return f"{folder} is no folder"
    except OSError as error:
        for place in (folder, *folder.parents):
            with contextlib.suppress(OSError):
                state = place.stat()
                mode = stat.S_IMODE(state.st_mode)
                return f"{place} is closed to you ({error.strerror}; mode {mode:04o}, owned by {user(state.st_uid)})"
    return None


def unread(folder: Path) -> list[str]:
    """Images of a folder, and their records, that the user may not read."""
    files = [] if closed(folder) else sorted(folder.glob("*_*.sif*"))
    return [f"{path.name} cannot be read by you" for path in files if not os.access(path, os.R_OK)]


def require_closed(folder: Path) -> None:
    """Refuse to write images where everybody may: whoever was there before would have them in his hands."""
    fix = "name another folder in DEEPRC_IMAGES (or, for all users, by --to)"
    require_fixed(folder, fix=fix)
    state = folder.stat()
    if state.st_mode & stat.S_IWOTH:
        raise OwnershipError(
            "images are not put where everybody may write", where=folder, found=open_to(state),
            expected="a folder that its owner, or a group of his, writes to",
            fix=f"{command('chmod', 'o-w', folder)} if it is yours, or {fix}",
        )  # fmt: skip


def publisher(folder: Path) -> int | None:
    """Who publishes in a shared folder: its owner, where nobody else may write to it and nobody can have planted it."""
    if not folder.is_dir() or open_to(folder.stat()) or any(writer.anybody for writer in writers(folder)):
        return None
    return folder.stat().st_uid


def foreign(path: Path) -> bool:
    """Whether somebody besides the user and root has had it in his hands, or may have."""
    state = path.stat()
    return is_foreign(state) or open_to(state) is not None


def doubt(path: Path, publisher: int | None) -> str | None:
    """Why a file is not even its publisher's word; None where it is, or the user's own or root's."""
    state = path.stat()
    if is_foreign(state) and state.st_uid != publisher:
        return f"{path.name} is owned by {user(state.st_uid)}"
    who = open_to(state)
    return who and f"{path.name} may be written to by {who}"


def digest(path: Path, part: tuple[int, int] | None = None) -> str:
    """`sha256:…` of somebody else's file, or of `part` of it (where it begins, bytes).

    It is read once: the digest is kept in the user's own cache, by path, inode, ctime and size. Nobody but root can set
    back a ctime.
    """
    named, folder = _named(path, part), cache() / "image-digests"
    kept = folder / named
    with contextlib.suppress(OSError):  # no home that could be written to: it is read each time
        private(folder, fix="name another cache in XDG_CACHE_HOME")
        if kept.exists() and not fault(kept):
            return kept.read_text()
    found = sif.digest(path, part=part)
    if _named(path, part) == named:  # nobody has written to it meanwhile
        with contextlib.suppress(OSError):
            write_text(kept, found)
    return found


def _named(path: Path, part: tuple[int, int] | None) -> str:
    state = path.stat()
    text = "\0".join(map(str, (path, state.st_ino, state.st_ctime_ns, state.st_size, part)))
    return hashlib.sha256(os.fsencode(text)).hexdigest()
