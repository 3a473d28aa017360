"""What `-n` says of pilots: which there would be, what they would cost, and which jobs would run in each."""

from __future__ import annotations

import copy
import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from deeprc.core.errors import DeepRCError
from deeprc.sites import load_site
from snakemake_executor_plugin_radical_pilot import detach, direct, internals, loads
from snakemake_executor_plugin_radical_pilot.fleet import require_nodes
from snakemake_executor_plugin_radical_pilot.kinds import PilotKind, kinds
from snakemake_executor_plugin_radical_pilot.progress import Progress
from snakemake_executor_plugin_radical_pilot.routes import Routes
from snakemake_executor_plugin_radical_pilot.runs import RunFolder
from snakemake_executor_plugin_radical_pilot.state import WorkflowRun

HEAD = ("pilot", "partition", "nodes", "cores", "accelerators", "minutes", "at once", "node-hours", "jobs")


@dataclass(frozen=True)
class PilotRow:
    """Pilots of one shape; `rules` has the jobs that would run there, by their rules."""

    name: str
    partition: str
    nodes: int
    cores: int
    gpus: int
    minutes: int
    least: int
    most: int
    in_turn: int
    rules: dict[str, int]

    @property
    def node_hours(self) -> float:
        """Of one pilot that lives for all of its time."""
        return self.nodes * self.minutes / 60

    @property
    def cells(self) -> list[str]:
        """It, for people."""
        once = f"{self.least}-{self.most}" if self.least != self.most else str(self.most)
        count = sum(self.rules.values())
        jobs = ", ".join(f"{rule} {number}" for rule, number in self.rules.items())
        sizes = [str(number) for number in (self.nodes, self.cores, self.gpus, self.minutes)]
        return [
            self.name,
            self.partition,
            *sizes,
            once,
            f"{self.node_hours:.1f} each",
            f"{count}: {jobs}" if jobs else "0",
        ]


def table(rows: Sequence[PilotRow], unknown: int = 0) -> str:
    """The rows as text; `unknown` jobs ask for what only is known later."""
    lines = [list(HEAD), *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = {2, 3, 4, 5, 6, 7}
    text = [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    most = sum(row.node_hours * max(row.most, row.least) for row in rows)
    last = f"at most {most:.1f} node-hours"
    if (total := sum(row.node_hours * row.most * row.in_turn for row in rows)) > most:
        last += f"; {total:.1f} where each pilot is replaced as often as it may be"
    text.append(last)
    if unknown:
        text.append(f"{unknown} jobs ask for what is known once others have run")
    return "\n".join(text)


def tell(settings: Any, workflow: Any, dag: Any) -> None:
    """Say it, where a batch system would be asked for nodes, or several pilots are wanted, and there is anything to do.

    What a run from here would be refused for is said instead; where that is only an image (which is kept on the
    cluster, and not where `-n` is given), the pilots are shown all the same.
    """
    if path := loads.wanted():
        jobs = internals.jobs_to_run(dag)
        with internals.unbounded(workflow, jobs, sys.argv):
            loads.write(path, dag, jobs)
        return
    jobs = internals.jobs_to_run(dag)
    if not jobs:
        return
    try:
        batch = load_site(settings.site).batch
    except DeepRCError as error:
        internals.tell(f"note: a run would be refused: {error}")
        return
    if not batch and not settings.wish.listed:
        return
    without = copy.copy(settings)
    without.image = "none"
    with internals.unbounded(workflow, jobs, sys.argv):
        try:
            shown = _foretold(settings, workflow, dag, jobs)
            if batch:  # else there is nobody who is to be paid for nodes
                internals.tell(shown)
            return
        except DeepRCError as error:
            refused = error
        try:
            shown = _foretold(without, workflow, dag, jobs)
        except DeepRCError:
            internals.tell(f"note: a run would be refused: {refused}")
        else:
            shown = f"\npilots as without images:\n{shown}" if batch else ""
            internals.tell(f"note: a run from here would be refused: {refused}{shown}")


def _foretold(settings: Any, workflow: Any, dag: Any, jobs: list) -> str:
    run = WorkflowRun(workflow, dag, RunFolder(Path(settings.folder)), str, _Silent(len), None, settings=settings)
    there = kinds(run, None, itertools.count(1), dry=True)
    require_nodes(there)
    detach.require_one(settings, there[0].template.allocation)
    routes, where, unknown = Routes(there), {id(kind): Counter() for kind in there}, 0
    for job in jobs:
        try:
            where[id(routes.kind(job))][direct.rule_name(job)] += 1
        except WorkflowError:
            unknown += 1
    # Those of a shape with a minimum are started whether any job goes there or not.
    shown = [kind for kind in there if where[id(kind)] or kind.shape.least]
    return "\n".join([table([_row(kind, where[id(kind)]) for kind in shown], unknown), *crowded(shown)])


def crowded(there: Sequence[PilotKind]) -> list[str]:
    """Of each shape that may not get its nodes beside those that others keep by their minimum: where both take them
    from one queue, and a job of that may not have so many as they are together.
    """
    lines = []
    for kind in there:
        own = kind.template.allocation
        queue = own.partition.queue or own.partition.name
        kept = {
            other.shape.name: other.shape.least * other.template.allocation.nodes
            for other in there
            if other is not kind and other.shape.least and not own.held
            if queue == (other.template.allocation.partition.queue or other.template.allocation.partition.name)
        }
        if kept and own.nodes + sum(kept.values()) > own.partition.nodes:
            nodes = f"{own.nodes} node{'s' * (own.nodes > 1)}"
            lines.append(
                f"note: pilot {kind.shape.name} may wait for its {nodes}: min keeps {sum(kept.values())} for"
                f" {', '.join(kept)}, and {queue} gives a job {own.partition.nodes} at most; idle ones give way"
            )
    return lines


class _Silent(Progress):
    """Warnings are for the run itself."""

    def say(self, text: str) -> None:
        """Nothing."""


def _row(kind: PilotKind, rules: Counter) -> PilotRow:
    there, shape = kind.template.allocation, kind.shape
    return PilotRow(
        shape.name or "pilot", there.partition.name, there.nodes, there.cores, there.gpus, there.runtime,
        shape.least if shape.name else 1, shape.most, 1 if there.held else shape.replacements + 1, dict(rules),
    )  # fmt: skip
