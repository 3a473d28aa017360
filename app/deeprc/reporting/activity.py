"""What the page says about the newest run: its times, its failures, and all stages that results stand on."""

from __future__ import annotations

from dataclasses import asdict

from deeprc.reporting import words
from deeprc.reporting.breakdown import breakdown, node_hours, waits
from deeprc.reporting.chain import chain, largest_loss
from deeprc.reporting.efficiency import by_rule
from deeprc.reporting.events import Execution, Run
from deeprc.reporting.figures.timeline import colour
from deeprc.reporting.graph import graph
from deeprc.reporting.parts import parts
from deeprc.reporting.theme import BLUE, BROWN, GOLD, GREEN, OLIVE, ORANGE, PINK, PURPLE, RED, SLATE, TEAL

COLOURS = {
    "workflow start": SLATE, "queue": BROWN, "pilot start": ORANGE, "image pull": OLIVE, "launch": PINK,
    "import": PURPLE, "data preparation": TEAL, "compute": BLUE, "checkpoint": GREEN, "failed attempts": RED,
    "idle cores": GOLD, "pilot close": ORANGE, "between pilots": SLATE, "after the pilot": SLATE,
}  # fmt: skip
LISTED = 40  # jobs of the chain that the page shows


def activity(run: Run, tasks: list[Execution]) -> dict:
    """The newest run's times, and the table of all stages."""
    whole, waited, spent, links = breakdown(run), waits(run), parts(run), chain(run)
    of = {id(task): each for task, each in zip(run.tasks, waited, strict=True)}
    failed, repeated = failures(run)
    return {
        "run": run,
        "total": whole.total,
        "over": run.over,
        "phases": [
            {"name": name, "seconds": s, "part": s / whole.total if whole.total else 0, "colour": COLOURS[name]}
            for name, s in spent.items()
        ],
        "loss": largest_loss(spent, links) if spent else None,
        "chain": links and links[-LISTED:],
        "chained": links and (len(links), sum(link.ran for link in links), sum(link.waited for link in links)),
        "energy": energy(run),
        "utilisation": whole.utilisation,
        "node_hours": node_hours(run),
        "rules": by_rule(run),
        "graph": graph(run, tasks),
        "mean": {name: s / whole.tasks for name, s in asdict(whole.waits).items()} if whole.tasks else None,
        "ran": len(run.tasks),
        "stages": [{"task": task, "colour": colour(task), "wait": of.get(id(task))} for task in tasks],
        "earlier": sum(id(task) not in of for task in tasks),
        "failed": failed,
        "repeated": repeated,
        "imports": COLOURS["import"],
        "legend": {task.stage: colour(task) for task in run.tasks},
    }


def energy(run: Run) -> str:
    """What is known of the energy that the run took, in a sentence."""
    told = run.energy
    if told is None:
        return "Energy: not recorded by this run."
    if told.joules is None:
        return f"Energy: it cannot be read here ({told.why})."
    upto = "" if run.over else f", up to {words.duration(told.time - run.begin)} after its begin"
    of = words.listing(told.of)
    return f"Energy: {words.number(told.joules / 3600)} Wh of {run.host} ({of}), whoever used it{upto}."


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
