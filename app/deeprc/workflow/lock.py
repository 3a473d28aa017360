"""One run at a time in a results folder, and the lock of a run that was killed is taken over.

Snakemake's lock files name files, not who holds them: after `kill -9` they stand until `--unlock`. Beside them lies a
record of ours, with the process that holds it; another one lies in the results folder itself, since runs of other
working directories have locks of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from deeprc.core.errors import DeepRCError, command
from deeprc.core.holder import Holder
from deeprc.core.ownership import OwnershipError, fault, require_closed, require_fixed, require_writable
from deeprc.core.umask import require_umask

SNAKEMAKE = Path(".snakemake")
WRITTEN = ("", "deeprc", "locks", "incomplete", "metadata", "auxiliary")  # in it, by each run
ELSEWHERE = "run in a working directory that is yours: `--directory FOLDER`"


class LockedError(DeepRCError):
    """Another run holds the results."""


@contextlib.contextmanager
def hold(results: str, say: Callable[[str], None], folder: Path | None = SNAKEMAKE) -> Iterator[None]:
    """Hold `results` while the body runs; a dead holder's lock, and Snakemake's of that run, are taken away before.

    Parameters
    ----------
    folder
        What Snakemake remembers in, or None for the results folder itself, which must be there.

    Raises
    ------
    LockedError
        Where another process that lives, or one on another machine, holds them.
    OwnershipError
        Where anybody may put files into the working directory, exchange what is in `folder`, or what the user makes;
        where the user may not write to it.
    """
    require_umask()
    if folder is not None:
        require_fixed(folder.absolute(), fix=ELSEWHERE)
        for name in WRITTEN:
            require_writable(folder / name, fix=ELSEWHERE)
        require_closed(Path.cwd())
    record, mine = _record(results, folder), Holder.me()
    guard = record.with_suffix(".guard").absolute()
    if folder is not None and guard.exists() and not os.access(guard, os.W_OK):
        fix = f"{command('rm', guard)}, if no other run goes on here"
        raise OwnershipError("this file is not yours", where=guard, found=fault(guard), fix=fix)
    with _alone(record):
        _take(record, results, mine, say, folder)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError), _alone(record):  # the folder may be gone by now
            if _read(record) == mine:
                record.unlink(missing_ok=True)


def holder(results: str, folder: Path = SNAKEMAKE) -> Holder | None:
    """Who holds `results` and may live, this process apart; None where nobody does."""
    mine = _identity(Holder.me())
    found = (_read(_record(results, place)) for place in (folder, None))
    return next((one for one in found if one and one.lives and _identity(one) != mine), None)


def release(results: str, folder: Path = SNAKEMAKE) -> None:
    """Forget who holds `results`: what `snakemake --unlock` does with its own locks."""
    for place in (folder, None):
        _record(results, place).unlink(missing_ok=True)


def told(found: Holder) -> str:
    """Who it is, for people."""
    return f"process {found.pid} on {'this machine' if found.here else found.host}, since {found.since}"


def _identity(found: Holder) -> tuple[int, int, str, str]:
    return found.pid, found.started, found.boot, found.namespace


def _take(record: Path, results: str, mine: Holder, say: Callable[[str], None], folder: Path | None) -> None:
    new = record.with_name(f"{record.name}.{mine.pid}.{mine.host}")
    new.unlink(missing_ok=True)
    with new.open("x") as made:  # never through a link that somebody has put there
        json.dump(asdict(mine), made)
    try:
        for _ in range(2):
            try:
                os.link(new, record)  # fails where there is one: on any file system, whichever machine was first
                return
            except FileExistsError:
                found = _read(record)
            if found and found.lives:
                raise _locked(results, found)
            if found and folder:
                say(f"the run that began {found.since} (process {found.pid}) was killed: its lock is taken over")
                _unlock(results, folder)
            record.unlink(missing_ok=True)
        raise LockedError("another run has just begun", where=results, fix="wait until it has ended")
    finally:
        new.unlink(missing_ok=True)


def _locked(results: str, found: Holder) -> LockedError:
    cure = f"wait until it has ended, or stop it: `kill {found.pid}`"
    if not found.here:
        cure = "wait until it has ended; where it is gone for certain, the same command with `--unlock` forgets it"
    return LockedError(f"another run holds these results: {told(found)}", where=results, found=found.command, fix=cure)


def _unlock(results: str, folder: Path) -> None:
    """Remove Snakemake's lock files of a run in `results`; those of runs in other results stay."""
    below = os.path.normpath(results) + os.sep
    for lock in (folder / "locks").glob("*.lock"):
        with contextlib.suppress(OSError):
            if any(os.path.normpath(line.strip()).startswith(below) for line in lock.read_text().splitlines()):
                lock.unlink()


def _record(results: str, folder: Path | None) -> Path:
    """Where the holder of `results` is written down."""
    if folder is None:
        return Path(results) / ".holder.json"
    place = folder / "deeprc"
    place.mkdir(parents=True, exist_ok=True)
    return place / f"holder-{hashlib.sha256(os.path.realpath(results).encode()).hexdigest()[:16]}.json"


@contextlib.contextmanager
def _alone(record: Path) -> Iterator[None]:
    """Of the processes on this machine one at a time, so that no two take over the same lock."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW  # which leave its time as it was
    with os.fdopen(os.open(record.with_suffix(".guard"), flags, 0o666), "a") as guard:
        with contextlib.suppress(OSError):  # a file system without locks: the record alone must do
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _read(record: Path) -> Holder | None:
    try:
        return Holder(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return None
