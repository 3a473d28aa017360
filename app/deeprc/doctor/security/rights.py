"""Who may read, change or exchange a file or folder: what was found, what was expected, how to mend it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from deeprc.core.errors import command
from deeprc.core.ownership import fault, is_foreign, is_unmapped, open_to, remedy, user, writers
from deeprc.doctor.result import CheckResult, Status

Finding = tuple[Status, str, str]  # whether it is grave, what it is, how to mend it
SHOWN = 4  # findings of one kind; a folder that all of them are in is mended once


def closed(path: Path, *, fix: str = "take another place") -> Iterator[Finding]:
    """What keeps a folder, or a file with a key, from being the user's alone; nothing where there is none.

    `fix` is how the user names another place.
    """
    if why := fault(path):
        yield "failed", f"{path} is {why}; expected yours alone ({user(os.geteuid())})", remedy(path, fix=fix)
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        state = path.lstat()
        mode, right = stat.S_IMODE(state.st_mode), 0o700 if stat.S_ISDIR(state.st_mode) else 0o600
        if mode & 0o077:
            text = f"{path} can be read by others (mode {mode:04o}; expected {right:04o})"
            yield "failed", text, command("chmod", f"{right:o}", path)


def changeable(path: Path) -> Iterator[Finding]:
    """Who besides the user and root may change a file or folder; links are followed."""
    try:
        state = path.stat()
    except OSError:  # nothing is there
        return
    if is_foreign(state) and not is_unmapped(state.st_uid):
        yield "warning", f"{path} belongs to {user(state.st_uid)}, who may change it", "do you trust them?"
    if who := open_to(state):
        anybody = bool(state.st_mode & stat.S_IWOTH)
        status: Status = "failed" if anybody else "warning"
        mend = command("chmod", "o-w" if anybody else "g-w", path)
        if state.st_uid != os.geteuid():
            mend += f" by {user(state.st_uid)}"
        if state.st_mode & stat.S_ISVTX:  # as /tmp, meant for everybody
            mend = "take another folder"
        yield status, f"{path} is writable by {who}", mend


def exchangeable(path: Path) -> Iterator[Finding]:
    """Who besides the user and root may put something else in the place of `path`."""
    for writer in writers(path):
        text = f"{path} can be exchanged: {writer.place} is open to {writer.who}"
        if writer.anybody:
            yield "failed", text, f"{command('chmod', 'o-w', writer.place)}, or another place"
        else:
            yield "warning", text, "do you trust them with your account? Else choose another place"


def outcomes(check: str, subject: str, findings: Iterable[Finding], well: str | None) -> list[CheckResult]:
    """A row for each finding, the grave ones first; where there is none, `well`."""
    found = [CheckResult(check, subject, *each) for each in dict.fromkeys(findings)]
    found.sort(key=lambda outcome: outcome.status != "failed")
    if len(found) > SHOWN:
        rest = len(found) - SHOWN
        status = found[SHOWN].status
        found[SHOWN:] = [
            CheckResult(check, subject, status, f"{rest} more like this", "mend those above, and look again")
        ]
    return found or ([CheckResult(check, subject, "ok", well)] if well else [])
