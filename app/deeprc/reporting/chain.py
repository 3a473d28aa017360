"""The chain of jobs that a run's length stands on, and what most of its time was lost to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from deeprc.reporting import words
from deeprc.reporting.events import Execution, Run
from deeprc.reporting.parts import WORK

LITTLE = 0.05  # of the whole, below which nothing is said of a loss
ADVICE = {
    "workflow start": "Snakemake's own work before the first job: fewer or larger jobs make it shorter",
    "queue": "ask for fewer nodes or less time (`--radical-pilot-nodes`, `--radical-pilot-runtime`), or run within"
    " a job that you hold already",
    "pilot start": "it is paid once for a run: it weighs less where one run does more",
    "image pull": "have the image here before: `deeprc image pull`",
    "launch": "give short jobs of one Python program `warm`, or more to do each",
    "import": "give rules the same `warm`, `threads` and `mem_mb`, so that their jobs share workers",
    "checkpoint": "save less often (`checkpoint` of the training), or to a faster disk",
    "failed attempts": "see the failed jobs' logs",
    "pilot close": "it is paid once for a run",
    "between pilots": "a longer `--radical-pilot-runtime` makes pilots follow each other less often",
    "after the pilot": "the workflow's own work after the last job",
}


@dataclass(frozen=True)
class ChainedJob:
    """A job of the chain.

    Attributes
    ----------
    waited
        Seconds from the end of the one before it, or of the first from the begin of the run, to its own start.
    ran
        Seconds that it ran.
    after
        What it waited for: `input` (the one before made it), `cores` (the one before held them), `start`.
    """

    rule: str
    label: str
    waited: float
    ran: float
    after: str


def chain(run: Run) -> list[ChainedJob] | None:
    """The jobs, the first one first, each of which could not begin before the one before it had ended.

    None where no job tells its input: events of older releases.
    """
    if not run.tasks or all(task.input is None for task in run.tasks):
        return None
    made = Makers(run.tasks)
    now, links, seen = max(run.tasks, key=lambda task: task.stop), [], set()
    while now is not None:
        seen.add(id(now))
        before, after = made.before(now, seen)
        waited = now.start - (before.stop if before else run.begin)
        links.append(ChainedJob(now.rule, now.label, waited, now.seconds, after))
        now = before
    return links[::-1]


def largest_loss(found: dict[str, float], links: list[ChainedJob] | None) -> str:
    """A sentence: what took most of the time beside the work itself, and what to do about it."""
    total = sum(found.values())
    losses = {name: seconds for name, seconds in found.items() if name not in WORK}
    name = max(losses, key=losses.get, default=None)
    if name is None or losses[name] < total * LITTLE:
        return f"Nothing beside the work itself took more than {words.percent(LITTLE)} of the time."
    told = f"Largest loss: {name}, {words.duration(losses[name])} of {words.duration(total)}"
    return f"{told} ({words.percent(losses[name] / total)}); {ADVICE.get(name) or _for_idle(links)}."


def _for_idle(links: list[ChainedJob] | None) -> str:
    if not links:
        return "ask for fewer cores, or let more jobs run at once"
    slow = max(links, key=lambda link: link.ran)
    ran = f"{slow.label} ({words.duration(slow.ran)})"
    return f"the longest job that the others waited for was {ran}: shorten it or give it more cores, or ask for fewer"


class Makers:
    """Who made what, and who was on which core before."""

    def __init__(self, tasks: Iterable[Execution]) -> None:
        self._tasks = sorted(tasks, key=lambda task: task.stop)
        self._makers: dict[str, list[Execution]] = {}
        self._on: dict[tuple[str, int], list[Execution]] = {}
        for task in self._tasks:
            for output in task.output:
                self._makers.setdefault(os.path.abspath(output), []).append(task)  # noqa: PTH100
            for place in task.places:
                self._on.setdefault(place, []).append(task)

    def before(self, task: Execution, seen: set[int]) -> tuple[Execution | None, str]:
        """The one whose end it waited for last, and why; None where it waited for no other."""
        found = [(maker, "input") for maker in self.of(task.input or ())]
        found += [(other, "cores") for place in task.places for other in self._on[place] if other.stop > task.submit]
        fit = [pair for pair in found if pair[0].stop <= task.start and id(pair[0]) not in seen]
        return max(fit, key=lambda pair: (pair[0].stop, pair[1] == "input"), default=(None, "start"))

    def of(self, names: Iterable[str]) -> Iterator[Execution]:
        """Who made these files, or the folder that holds one."""
        for name in names:
            path = PurePath(os.path.abspath(name))  # noqa: PTH100
            for each in (path, *path.parents):
                if makers := self._makers.get(str(each)):
                    yield from (maker for maker in makers if not maker.failed)
                    break
