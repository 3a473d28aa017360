"""What the page says about the newest run: its times, its failures, and all stages that results stand on."""

from __future__ import annotations

from dataclasses import asdict

from deeprc.reporting.breakdown import breakdown, node_hours, waits
from deeprc.reporting.efficiency import by_rule
from deeprc.reporting.events import Execution, Run
from deeprc.reporting.figures.timeline import colour
from deeprc.reporting.theme import BLUE, GOLD, ORANGE, PURPLE, SLATE

PHASES = {
    "workflow start": SLATE,
    "pilot start-up": ORANGE,
    "tasks running": BLUE,
    "no task running": GOLD,
    "pilot close": PURPLE,
    "between pilots": SLATE,
    "after the pilot": SLATE,
}


def activity(run: Run, tasks: list[Execution]) -> dict:
    """The newest run's times, and the table of all stages."""
    parts, waited = breakdown(run), waits(run)
    of = {id(task): each for task, each in zip(run.tasks, waited, strict=True)}
    failed, repeated = failures(run)
    return {
        "run": run,
        "total": parts.total,
        "over": run.over,
        "phases": [
            {"name": name, "seconds": s, "part": s / parts.total if parts.total else 0, "colour": PHASES[name]}
            for name, s in parts.phases.items()
        ],
        "utilisation": parts.utilisation,
        "node_hours": node_hours(run),
        "rules": by_rule(run),
        "mean": {name: s / parts.tasks for name, s in asdict(parts.waits).items()} if parts.tasks else None,
        "ran": len(run.tasks),
        "stages": [{"task": task, "colour": colour(task), "wait": of.get(id(task))} for task in tasks],
        "earlier": sum(id(task) not in of for task in tasks),
        "failed": failed,
        "repeated": repeated,
        "legend": {task.stage: colour(task) for task in run.tasks},
    }


def failures(run: Run) -> tuple[list[Execution], list[Execution]]:
    """What failed for good, by its last attempt; and the failed attempts that others followed."""
    ended = sorted([*run.tasks, *run.unstarted], key=lambda task: task.noticed)
    last = {task.work: task for task in ended}
    again = [task for task in ended if task.failed and task is not last[task.work]]
    return [task for task in last.values() if task.failed], again


def where(task: Execution) -> str:
    """The cores of a task, `0, 1`; with their nodes where these are several."""
    by_node: dict[str, list[int]] = {}
    for node, core in task.places:
        by_node.setdefault(node, []).append(core)
    cores = {node: ", ".join(map(str, cores)) for node, cores in by_node.items()}
    return "; ".join(f"{node}: {text}" if len(cores) > 1 else text for node, text in cores.items())
