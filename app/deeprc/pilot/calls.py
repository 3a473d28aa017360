"""Many calls of a Python function on a pilot: hundreds to thousands a second, each told once.

A call goes to a worker, as a job of one rank does, and there to a process that stays for the next
(`worker/functions.py`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.threads import variables
from deeprc.core.umask import own_umask
from deeprc.pilot.client import Pilot
from deeprc.pilot.tasks import Outcome, Task

AHEAD = 1000  # calls that wait or run at once: of a million, no more are held
LOOK = 0.002  # seconds between two looks at what has ended
PREFIX = "call."  # of their names among the pilot's tasks
_numbers = itertools.count()  # of all that this process makes: none is taken for another's


def calls(
    pilot: Pilot, function: str, arguments: Iterable[Sequence], *, warm: Sequence[str] = (), cores: int = 1,
    gpus: int = 0, memory_mb: int = 0, timeout: float | None = None, again: int = 0, workdir: Path | None = None,
) -> Iterator[tuple[int, Outcome]]:  # fmt: skip
    """Call `function` once with each of `arguments`; what became of each, in the order that they end.

    A call that was given to a worker is never begun anew by itself, since its effect may be there: where the worker is
    lost (`kill -9`, a node that fails), so is the call, which is told. Those that wait go to others. Where the caller
    stops to listen, those that have not ended are cancelled. They run on the host, whatever image the pilot has.

    Parameters
    ----------
    pilot
        One that was started, and runs nothing else meanwhile.
    function
        `module:name`; the module is looked for in `workdir`, as `python -m` does, then where the workers' Python does.
    arguments
        Of each call, by their places; values that JSON has (a tuple arrives as a list, a dictionary's keys as texts).
    warm
        Modules that each worker imports before its first call.
    cores, gpus, memory_mb, timeout
        Of each call; `timeout` in seconds.
    again
        How often a call that was lost is made anew: for functions that may run twice.
    workdir
        Where they run; the current folder, if not given. What they print goes to the worker's own output.

    Yields
    ------
    tuple
        The number of the call, from 0, each one once; and its outcome: DONE with `value`, FAILED with what was raised
        or has ended it as `reason`, LOST with what is known of that.

    Raises
    ------
    ConfigError
        For a function that cannot be found, arguments that are no list or that JSON does not have, a call that asks for
        more than a node has, and a pilot that makes other calls already.
    DeepRCError
        Where the pilot ends before all calls were made; those that it was given are told as LOST before.
    """
    if pilot.allocation.state == "CLOSED":
        raise ConfigError("this pilot is closed", expected="calls before its `close`", fix="start another one")
    if isinstance(warm, str):
        raise ConfigError("warm is no list of modules", found=repr(warm), fix=f"warm=[{warm!r}]")
    environment, place = str(pilot.pulls.kept()), str((workdir or Path.cwd()).absolute())
    like = Task(
        "", [], 1, cores, gpus, tuple(warm), memory_mb, timeout, environment=environment, workdir=place,
        function=function, variables={**variables(cores), "DEEPRC_UMASK": own_umask()},
    )  # fmt: skip
    _room(pilot, like)
    if getattr(pilot, "calling", False):
        raise ConfigError(
            "this pilot makes other calls already", expected="one `calls` at a time: outcomes would be mixed up",
            fix="go through the first to its end, or leave its loop; or start a pilot for each",
        )  # fmt: skip
    source, under_way = enumerate(arguments), {}

    def make(number: int, given: Sequence, left: int) -> Task:
        if not isinstance(given, (list, tuple)):
            raise ConfigError(
                f"the arguments of call {number} are no list", found=repr(given)[:80], expected="a list or a tuple",
                fix=f"({repr(given)[:40]},) for one argument",
            )  # fmt: skip
        task = replace(like, uid=f"{PREFIX}{next(_numbers)}", arguments=list(given))
        under_way[task.uid] = number, given, left
        return task

    pilot.calling = True
    try:
        yield from _made(pilot, source, under_way, make, again)
    finally:
        pilot.calling = False
        if under_way and not pilot.allocation.ended:
            pilot.cancel([*under_way])
    if (left := next(source, None)) is not None:
        raise DeepRCError(
            f"the pilot has ended; calls from number {left[0]} on were not made", found=pilot.allocation.why
        )


def _room(pilot: Pilot, call: Task) -> None:
    """An error where no node has what a call asks for: it would wait for ever; and where nothing could be so."""
    there = pilot.allocation
    for what, asked, least, most in (
        ("cores", call.cores_per_rank, 1, there.cores // there.nodes),
        ("accelerators", call.gpus_per_rank, 0, there.gpus // there.nodes),
        ("MB of memory", call.memory_mb, 0, there.memory_mb),
    ):
        if not isinstance(asked, int) or asked < least:
            raise ConfigError(f"a call cannot ask for so many {what}", found=asked, expected=f"{least} or more, whole")
        if asked > most:
            raise ConfigError(f"a call asks for more {what} than a node of the pilot has", found=asked, expected=most)


def _made(
    pilot: Pilot, source: Iterator, under_way: dict, make: Callable[..., Task], again: int
) -> Iterator[tuple[int, Outcome]]:
    """Make them, and tell of each; `under_way` has those that were made and not told."""
    while True:
        if len(under_way) <= AHEAD // 2 and not pilot.allocation.ended:
            more = itertools.islice(source, AHEAD - len(under_way))
            if made := [make(number, given, again) for number, given in more]:
                pilot.submit(made)
        if not under_way:
            break
        over = pilot.allocation.ended  # before the look: what ends later is not missed
        ended = pilot.outcomes()
        for outcome in ended:
            if outcome.uid not in under_way and outcome.uid.startswith(PREFIX):
                continue  # of earlier ones, whose caller has stopped to listen
            if outcome.uid not in under_way:
                raise DeepRCError("the pilot runs something else beside these calls", found=outcome.uid)
            number, given, left = under_way.pop(outcome.uid)
            if outcome.state == "LOST" and left and not over:
                pilot.submit([make(number, given, left - 1)])
            else:
                yield number, outcome
        if over and not ended:
            for uid, (number, _, _) in under_way.items():
                yield number, Outcome(uid, "LOST", None, [], pilot.allocation.why or "the pilot has ended")
            under_way.clear()
        elif not ended:
            time.sleep(LOOK)
