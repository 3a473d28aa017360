"""Whom files and folders belong to, who else may write to them, and folders that are the user's alone.

POSIX access lists show in the mode: the bits of the group are the most that any of their entries gives. A group that is
the user's own (of his name, without other members, as many systems give each user one) is nobody else.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deeprc.core.errors import DeepRCError, command

ALL = 2**32 - 1  # numbers of users that a machine itself has
LINKS = 40  # on the way to a file: the kernel's own limit


class OwnershipError(DeepRCError):
    """A file or a folder that somebody else has put there, or could change."""


@dataclass(frozen=True)
class OtherWriter:
    """Somebody besides the user and root who may replace a part of a path.

    Attributes
    ----------
    place
        The folder in which he may.
    who
        Who, and why he may: `its group physics (mode 2775)`.
    anybody
        Whether it could be any user of the machine: one who needed no right that the folder's owner has given him.
    """

    place: Path
    who: str
    anybody: bool


def user(uid: int) -> str:
    """A user, for people: `alice`, `uid 64023`."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


@cache
def is_unmapped(uid: int) -> bool:
    """Whether this is the number of all owners whom this user namespace does not map: a container's, `unshare`'s.

    Source: user_namespaces(7).
    """
    rows = Path("/proc/self/uid_map").read_text().splitlines()
    if sum(int(row.split()[2]) for row in rows) == ALL:
        return False
    return uid == int(Path("/proc/sys/kernel/overflowuid").read_text())


def is_foreign(state: os.stat_result) -> bool:
    """Whether it belongs to neither the user nor root."""
    return state.st_uid not in (0, os.geteuid())


def open_to(state: os.stat_result) -> str | None:
    """Who besides its owner may write to a file or folder, by its mode; None where nobody."""
    mode = f"mode {stat.S_IMODE(state.st_mode):04o}"
    if stat.S_ISLNK(state.st_mode):  # its mode means nothing
        return None
    if state.st_mode & stat.S_IWOTH:
        return f"everybody ({mode})"
    if state.st_mode & stat.S_IWGRP and not _is_own(state.st_gid):
        return f"its group {_group(state.st_gid)} ({mode})"
    return None


def require_closed(folder: Path) -> None:
    """Raise an OwnershipError where everybody may put files into a working directory, with the sticky bit or without.

    Much is read and run from there by its name alone: profiles, workflows, modules of Python, results.
    """
    state = folder.stat()
    if state.st_mode & stat.S_IWOTH:
        raise OwnershipError(
            "everybody may put files into this working directory, and what is found there is read and run",
            where=folder.absolute(),
            found=f"writable by {open_to(state)}",
            expected="a folder in which only you, or those whom you trust, can make files",
            fix="run in a folder of your own: `cd` there first, and give no `--directory` that leads elsewhere",
        )


def fault(path: str | Path, *, root: bool = False) -> str | None:
    """Why what stands at `path` is not the user's alone; None where it is, or where nothing stands there.

    It says nothing about the way there: see `writers`.

    Parameters
    ----------
    root
        Whether what belongs to root is as good: for what is read, not for what is written.
    """
    try:
        state = Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return "in a folder that is closed to you"
    if stat.S_ISLNK(state.st_mode):
        return f"a link to {Path(path).readlink()}"
    if is_foreign(state) or (not root and state.st_uid != os.geteuid()):
        return f"owned by {user(state.st_uid)}"
    who = open_to(state)
    return who and f"writable by {who}"


def remedy(path: str | Path, *, fix: str) -> str:
    """How to mend a `fault`: what the user can do himself comes first; `fix` is how he names another place."""
    try:
        state = Path(path).lstat()
    except OSError:
        return fix
    if stat.S_ISLNK(state.st_mode):
        return f"{fix}; or, if the link is yours, {command('rm', path)}, which leaves what it leads to"
    if state.st_uid != os.geteuid():
        return f"{fix}; or have {user(state.st_uid)} remove it"
    return f"look at what is in it, then {command('chmod', 'go=', path)}; or {fix}"


def writers(path: str | Path) -> Iterator[OtherWriter]:
    """Who besides the user and root may replace a part of `path`, or its end: all folders on the way are looked at,
    also those that links lead to.

    A folder with the sticky bit, as /tmp, lets nobody replace what belongs to the user; what belongs to somebody else
    there may be planted. A folder is named once for each reason; what the user may not look at counts as closed, and so
    do owners whom this user namespace does not know (see `is_unmapped`).
    """
    seen = set()
    for folder, entry in _steps(Path(path).absolute()):
        for who, anybody in _may_replace(folder, entry):
            writer = OtherWriter(folder, who, anybody)
            if writer not in seen:
                seen.add(writer)
                yield writer


def private(folder: str | Path, *, fix: str) -> Path:
    """Make a folder that nobody else can enter, with its parents where they are missing; or check the one that stands.

    In a place where everybody may write, another user can have put one there before. After this check nobody can
    exchange it, unless he has been given the right to write to a folder on the way (a project's, by its group). Who may
    read a folder that was there before is left to the user.

    Parameters
    ----------
    fix
        How the user names another place for it.

    Raises
    ------
    OwnershipError
        When it is a link, not the user's own or writable by others, or stands where anybody may exchange it.
    """
    folder = Path(folder)
    require_fixed(folder.parent, fix=fix)  # before anything is made where a stranger's link leads
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    require_private(folder, fix=fix)
    return folder


def require_private(folder: Path, *, fix: str) -> None:
    """Raise an OwnershipError where what stands at `folder`, if anything does, cannot be a private folder."""
    if found := fault(folder):
        raise OwnershipError(
            "this private folder could be somebody else's",
            where=folder,
            found=found,
            expected=f"a folder (no link) that belongs to {user(os.geteuid())} and that nobody else may write to",
            fix=remedy(folder, fix=fix),
        )
    if folder.exists() and not folder.is_dir():
        raise OwnershipError("not a folder", where=folder, fix=f"remove it, or {fix}")
    require_fixed(folder, fix=fix)


def require_fixed(folder: Path, *, fix: str) -> None:
    """Raise an OwnershipError where anybody may exchange a folder, what is in it, or has planted a part of its path."""
    for writer in writers(folder / "x"):
        if writer.anybody:
            raise OwnershipError(
                "somebody else could exchange this",
                where=folder,
                found=f"{writer.place} is open to {writer.who}",
                expected="folders on the way in which others may not replace it",
                fix=f"if {writer.place} is yours, {command('chmod', 'o-w', writer.place)}; else {fix}",
            )


def require_writable(folder: Path, *, fix: str) -> None:
    """Raise an OwnershipError where the user may not write to a folder, or make it where it is missing.

    `fix` is how he names another place.
    """
    place = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(each))
    if os.access(place, os.W_OK | os.X_OK):
        return
    state, me = place.stat(), user(os.geteuid())
    found = f"owned by {user(state.st_uid)} (mode {stat.S_IMODE(state.st_mode):04o})"
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        found = "on a file system that is mounted read-only"
    elif state.st_uid == os.geteuid():
        fix = f"{command('chmod', 'u+wx', place)}; or {fix}"
    else:
        owned = command("chown", "-R", me.removeprefix("uid "), place)
        fix = f"{fix}; or, if it should be yours, {owned} by root"
    raise OwnershipError(
        "you may not write here", where=place, found=found, expected=f"a folder that {me} may write to", fix=fix
    )


def _may_replace(folder: Path, entry: Path) -> Iterator[tuple[str, bool]]:
    """Who may replace an entry of a folder, and whether it could be anybody."""
    try:
        state = folder.stat()
    except OSError:
        return
    if is_foreign(state) and not is_unmapped(state.st_uid):
        yield f"its owner {user(state.st_uid)}", False
    if not (who := open_to(state)):
        return
    everybody = bool(state.st_mode & stat.S_IWOTH)
    if not state.st_mode & stat.S_ISVTX:
        yield who, everybody
        return
    with contextlib.suppress(OSError):
        if is_foreign(inside := entry.lstat()):
            yield f"{user(inside.st_uid)}, who owns {entry.name} in it", everybody


def _steps(path: Path) -> Iterator[tuple[Path, Path]]:
    """Every folder on the way to `path`, with its entry that the way goes through; links are followed."""
    here, left, links = Path("/"), list(reversed(path.parts[1:])), 0
    while left:
        name = left.pop()
        if name == "..":
            here = here.parent
            continue
        entry = here / name
        yield here, entry
        try:
            target = entry.readlink()
        except OSError:  # no link, or nothing there
            here = entry
            continue
        if (links := links + 1) > LINKS:
            return
        here = Path("/") if target.is_absolute() else here
        left += reversed(target.parts[target.is_absolute() :])


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def _is_own(gid: int) -> bool:
    """Whether a group is the user's own: of his name, with nobody else in it."""
    try:
        group, own = grp.getgrgid(gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_gid == own.pw_gid and group.gr_name == own.pw_name and set(group.gr_mem) <= {own.pw_name}
