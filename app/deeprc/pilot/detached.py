"""Runs that go on without their terminal: begun, looked at, followed, ended.

Where the site's batch system can keep one (Slurm), the run is a job of it, which has the pilot's nodes: the machine
that it was begun on may go down. Elsewhere it is a process of this machine, apart from the terminal.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeprc import schedulers
from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.files import write_json, write_text
from deeprc.core.holder import Holder
from deeprc.core.ownership import private
from deeprc.pilot.allocation import Allocation
from deeprc.pilot.at_hand import ANEW
from deeprc.pilot.environment import refusal
from deeprc.pilot.keeper import OVER, RUN
from deeprc.pilot.worker import surroundings

FOLDER = "detached"  # in the private folder
KEPT = 20  # ended runs that are kept
LATER = 2  # minutes of its job in which the pilot of a run may not have begun, or that are no whole ones
YOUNG = 20.0  # seconds in which a batch system may not know a job yet, or a process its number
BEGINS = 10.0  # seconds that a run's first process may take to say which it is, before it can be cancelled
ENDS = 5.0  # seconds beyond those of its jobs that a run may take to end where its job's time is over
SEEN = 1.0  # seconds after which a batch system has looked at a new job


@dataclass(frozen=True)
class Detached:
    """One of them, whose files are in `folder`."""

    folder: Path

    @property
    def id(self) -> str:
        """Its name."""
        return self.folder.name

    @property
    def facts(self) -> dict[str, Any]:
        """What was written down as it began."""
        return json.loads((self.folder / "run.json").read_text())

    @property
    def log(self) -> Path:
        """All that it has said."""
        return self.folder / "log"

    @property
    def code(self) -> int | None:
        """Its exit code; None while it goes on, and where it could not write one down."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "exit").read_text())
        return None

    @property
    def lives(self) -> bool | None:
        """Whether it goes on; None where that cannot be known from here."""
        if self.code is not None:
            return False
        facts = self.facts
        if facts["scheduler"]:
            batch = schedulers.scheduler(facts["scheduler"])
            found = batch.lives(facts["job"])
            if found is False and facts.get("pilots", 1) > 1 and batch.ending(facts["job"]):
                return True  # it may just be put back into the queue
            young = found is False and time.time() - facts["since"] < YOUNG and self.code is None
            return True if young and not batch.lost(facts["job"]) else found
        with contextlib.suppress(OSError, ValueError, TypeError):
            keeper = self._holder("holder.json")
            return (keeper.lives or self._orphan is not None) if keeper.here else None
        return time.time() - facts["since"] < YOUNG

    def _holder(self, name: str) -> Holder:
        return Holder(**json.loads((self.folder / name).read_text()))

    @property
    def _orphan(self) -> Holder | None:
        """What it runs, where that lives: also without its keeper, which somebody may have killed."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            program = self._holder("program.json")
            return program if program.here and program.lives else None
        return None

    @property
    def state(self) -> str:
        """For people."""
        if (code := self.code) is not None:
            return "done" if code == 0 else "cancelled" if code == 130 else f"failed (exit code {code})"
        lives, facts = self.lives, self.facts
        if lives is None:
            return f"unknown: {facts['scheduler'] or facts['host']} does not answer from here"
        batch = schedulers.scheduler(facts["scheduler"]) if facts["scheduler"] else None
        if batch and batch.ending(facts["job"]):
            return f"ending: {batch.title} ends its job"
        if not lives:
            lost = batch.lost(facts["job"]) if batch else None
            return f"lost: {lost.why if lost else 'it was killed, or its machine has gone down'}"
        return (batch and batch.waits(facts["job"])) or "running"

    @property
    def where(self) -> str:
        """For people."""
        facts = self.facts
        return f"job {facts['number']} of {facts['site']}" if facts["scheduler"] else f"a process of {facts['host']}"

    def cancel(self) -> None:
        """Ask it to end: its jobs get their time to save."""
        facts = self.facts
        if facts["scheduler"]:
            batch = schedulers.scheduler(facts["scheduler"])
            batch.interrupt(facts["job"])
            # One that had not begun has nobody else to write down how it ended; of one that had, its keeper does.
            if self.code is None and batch.lives(facts["job"]) is False and batch.lost(facts["job"]):
                write_text(self.folder / "exit", "130\n")
                (self.folder / "environment").unlink(missing_ok=True)
            return
        deadline = time.monotonic() + BEGINS
        while not (self.folder / "holder.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        try:
            keeper = self._holder("holder.json")
        except FileNotFoundError:
            raise DeepRCError("it is just beginning", fix=f"deeprc run cancel {self.id} in a moment") from None
        if not keeper.here:
            raise DeepRCError("it runs on another machine", found=keeper.host, fix=f"deeprc run cancel {self.id} there")
        if asked := keeper if keeper.lives else self._orphan:
            os.kill(asked.pid, signal.SIGINT)


def runs(folder: Path) -> list[Detached]:
    """Those of a private folder, the oldest first."""
    found = sorted((folder / FOLDER).glob("*/run.json")) if (folder / FOLDER).is_dir() else []
    return [Detached(path.parent) for path in found]


def forget(run: Detached) -> None:
    """Remove what is known of a run, which ends nothing.

    Raises
    ------
    ConfigError
        Where it goes on.
    """
    if run.lives:
        raise ConfigError(
            f"run {run.id} goes on", where=run.where, found=run.state, fix=f"deeprc run cancel {run.id} ends it"
        )
    for path in sorted(run.folder.iterdir()):
        path.unlink()
    run.folder.rmdir()


def living(folder: Path) -> list[Detached]:
    """Those that go on, or may."""
    return [run for run in runs(folder) if run.code is None and run.lives is not False]


def is_job(allocation: Allocation) -> bool:
    """Whether a run that begins here and now becomes a job of the batch system."""
    return allocation.queued and allocation.site.scheduler.system.keeps


def minutes(allocation: Allocation, *, detach: bool) -> int:
    """How long a job of a run may take at most, which is to `detach`, or not."""
    return allocation.runtime - (LATER if detach and is_job(allocation) else 0)


def clear(folder: Path) -> None:
    """Remove the oldest of those that have ended, and the environments of those that were killed."""
    ended = [run for run in runs(folder) if run.lives is False]
    for run in ended:
        (run.folder / "environment").unlink(missing_ok=True)
    for old in ended[: max(0, len(ended) - KEPT)]:
        forget(old)


def begin(
    folder: Path, command: Sequence[str], program: int, *, cwd: Path, allocation: Allocation, pilots: int, grace: float
) -> Detached:
    """Begin a run in the private folder `folder`; it starts when this process has ended.

    Parameters
    ----------
    command
        Its words, the first `program` of which are the program.
    pilots
        How often its job may begin, in all.
    grace
        Seconds that its jobs get to end.

    Raises
    ------
    ConfigError
        Where the batch system refuses it, and within a job.
    """
    if allocation.held:
        raise ConfigError(
            "no run goes on without its terminal within a job: it would end with it",
            found=f"job {allocation.held.job}",
            fix=f"leave out --radical-pilot-detach; or begin it outside of jobs; or with {ANEW}=new, as one of its own",
        )
    for each in (folder, folder / FOLDER):
        private(each, fix="name another folder by --radical-pilot-folder")
    clear(folder)
    batch = allocation.site.scheduler.system
    kept = is_job(allocation)
    run = Detached(folder / FOLDER / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
    run.folder.mkdir(mode=0o700)
    facts = {
        "command": [*command], "program": program, "cwd": str(cwd), "since": time.time(), "host": os.uname().nodename,
        "site": allocation.site.name, "scheduler": batch.name if kept else None,
        "job": allocation.job if kept else None, "number": None, "pilots": pilots,
    }  # fmt: skip
    secret = run.folder / "environment"
    secret.touch(mode=0o600)
    secret.write_bytes(surroundings.dump(os.environb))
    (run.folder / "waiting").touch()
    write_text(run.folder / "starts", "1")
    write_json(run.folder / "run.json", facts)
    (run.folder / "run.json").chmod(0o600)
    keeper = [sys.executable, "-P", "-m", "deeprc.pilot.keeper", str(run.folder)]
    try:
        if kept:
            number = _submit(run, allocation, keeper, again=pilots > 1, warn=grace + ENDS)
            write_json(run.folder / "run.json", facts | {"number": number})
        else:
            subprocess.Popen(
                keeper, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
    except BaseException:
        for path in run.folder.iterdir():
            path.unlink()
        run.folder.rmdir()
        raise
    return run


def _submit(run: Detached, allocation: Allocation, keeper: list[str], *, again: bool, warn: float) -> str:
    batch, given = allocation.site.scheduler.system, allocation.submission()
    options = [word for word in given.options if word not in batch.once]
    script = run.folder / "job.sh"
    words = " ".join(f"'{word}'" for word in keeper)  # paths of plain names, as a pilot's are
    script.write_text(f"#!/bin/sh\nexec {words}\n")
    argv = batch.keep(
        script, options, queue=given.queue, minutes=allocation.runtime, log=run.log, again=again, warn=warn
    )
    done = subprocess.run(
        argv, env={**os.environ, **given.environment}, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise ConfigError(refusal(allocation.site, done.stderr))
    time.sleep(SEEN)
    if why := batch.never(allocation.job):
        batch.end(allocation.job)
        raise ConfigError(why)
    return done.stdout.strip().partition(";")[0]


def kept() -> str | None:
    """The name of the detached run that this process is of; None where it is of none."""
    return os.environ.get(RUN)


def over(folder: Path) -> None:
    """Nothing more fits into the time of this process's job: have the run of the private folder that it is of, if it is
    of one, begin anew.
    """
    if name := kept():
        with contextlib.suppress(OSError):  # it then ends as it does
            (folder / FOLDER / name / OVER).touch()
