"""A run that goes on without its terminal (`--radical-pilot-detach`), and the one that already does."""

from __future__ import annotations

import argparse
import atexit
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.pilot import Allocation, detached, following

OPTION = "--radical-pilot-detach"
SNAKEMAKE = [sys.executable, "-P", "-m", "snakemake"]  # -P: modules come from where they are installed
_left: list[Path] = []  # what tells a run that this process has not ended yet, and lets go of its locks


def attach(folder: Path, argv: list[str]) -> None:
    """Where the very command goes on as a detached run, show it to its end, and leave with its exit code.

    Another command is told of it only: it may be one that runs nothing.
    """
    if detached.kept():
        return
    atexit.register(lambda: [path.unlink(missing_ok=True) for path in _left])  # before others, so that it comes last
    for run in detached.living(_directory(argv) / folder):
        facts = run.facts
        if facts["cwd"] == str(Path.cwd()) and _words(facts["command"][facts["program"] :]) == _words(argv[1:]):
            _say(f"run {run.id} goes on, {run.where}: this shows it; Ctrl-C leaves it alone")
            _leave(run)
        _say(f"run {run.id} of this folder goes on, {run.where}: deeprc run attach {run.id}")


def refuse_two(folder: Path) -> None:
    """Raise a DeepRCError where another run of the folder goes on: there is never a second pilot."""
    for run in detached.living(folder) if not detached.kept() else ():
        if run.lives is None:
            raise DeepRCError(
                f"run {run.id} of this folder may go on, {run.where} ({run.state})\n"
                f"  fix: look at it from there; if that is gone for good: deeprc run forget {run.id}"
                f"{'' if folder == Path.cwd() / '.deeprc' else f' --folder {shlex.quote(str(folder))}'}"
            )
        raise DeepRCError(
            f"run {run.id} of this folder goes on, {run.where} ({run.state})\n"
            f"  fix: deeprc run attach {run.id}; deeprc run cancel {run.id} ends it"
        )


def require_one(settings: Any, allocation: Allocation) -> None:
    """Raise a ConfigError where a run that is to be one job of the batch system wants several pilots."""
    if settings.detach and not detached.kept() and settings.wish.listed and detached.is_job(allocation):
        raise ConfigError(
            "a detached run is one job of the batch system, with the nodes of one pilot",
            found=f"--radical-pilot-pilots {' '.join(settings.pilots)}",
            expected="how many pilots may follow each other: a number",
            fix="leave out --radical-pilot-detach, or give the nodes by --radical-pilot-nodes …",
        )


def begin(folder: Path, settings: Any, allocation: Allocation) -> NoReturn:
    """Begin it, in a process that starts when this one has ended."""
    run = detached.begin(
        folder.absolute(), [*SNAKEMAKE, *sys.argv[1:]], len(SNAKEMAKE), cwd=settings.began_in, allocation=allocation,
        pilots=settings.wish.in_turn, grace=settings.grace,
    )  # fmt: skip
    _left.append(run.folder / "waiting")
    _say(f"run {run.id} goes on without this terminal, {run.where}")
    if not run.facts["scheduler"]:
        _say("  it ends where this machine goes down")
    _say(f"  deeprc run attach {run.id}    shows it; also: deeprc run status, deeprc run cancel")
    raise SystemExit(0)


def _leave(run: detached.Detached) -> NoReturn:
    try:
        raise SystemExit(following.follow(run, sys.stdout.buffer, _say))
    except KeyboardInterrupt:
        _say(f"run {run.id} goes on: deeprc run attach {run.id}")
        raise SystemExit(130) from None


def _directory(argv: list[str]) -> Path:
    """The working directory that Snakemake is to take, as far as its command line says."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--directory", "-d")
    try:
        return Path(parser.parse_known_args(argv[1:])[0].directory or ".")
    except argparse.ArgumentError:  # Snakemake's own parser knows better
        return Path()


def _words(argv: list[str]) -> list[str]:
    return [word for word in argv if word != OPTION]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
