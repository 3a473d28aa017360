"""The section of the report on a sweep: its table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deeprc.applications.base.results import check_kinds, read_check, read_object
from deeprc.applications.base.sweep.collect import verdict
from deeprc.applications.base.sweep.trials import FOLDER, SWEEP
from deeprc.reporting.content import facts
from deeprc.reporting.events import Execution
from deeprc.reporting.section import Results, Section

KINDS = {"table": list, "tasks": list, "goal": str, "better": str, "trainings": int}


@dataclass(frozen=True)
class Swept:
    """That of the application `name`."""

    name: str

    def read(self, folder: Path) -> Results | None:
        """The table, and the check of each task's data by what it is called; None where there is no table."""
        path = folder / SWEEP
        if not path.is_file():
            return None
        found = read_object(path, **KINDS)
        for number, row in enumerate(found["table"]):
            check_kinds(row, {"figures": dict, "values": dict, "label": str, "repeats": list, "place": int},
                        where=path, key=f"table.{number}")  # fmt: skip
        checks = {task["label"] or "data": read_check(folder / FOLDER / task["check"]) for task in found["tasks"]}
        return Results(found, checks)

    def section(self, found: Results, tasks: list[Execution]) -> Section:
        """The section."""
        told = found.metrics
        parts = [_part(task, [row for row in told["table"] if row["task"] == task["task"]], told)
                 for task in told["tasks"]]  # fmt: skip
        values = {
            "goal": told["goal"],
            "better": told["better"],
            "trainings": told["trainings"],
            "count": len(told["table"]),
            "figures": list(next(iter(told["table"]), {}).get("figures") or {}),
            "parts": parts,
            "checks": {name: facts(check) for name, check in found.check.items() if check},
        }
        title = f"{self.name.replace('_', ' ').capitalize()}: sweep"
        ranked = next((f"{part['verdict']}." for part in parts if any(row["place"] for row in part["rows"])), None)
        return Section(self.name, title, "deeprc.applications.base.sweep", values, headline=ranked,
                       unjudged=next((f"{part['verdict']}." for part in parts), None),
                       template="sweep.html.j2")  # fmt: skip


def _part(task: dict, rows: list[dict], told: dict) -> dict:
    return {
        "label": task["label"],
        "verdict": verdict(rows, told["goal"]),
        "rows": [
            {
                "label": row["label"],
                "place": row.get("place"),
                "halved": row.get("halved"),
                "repeats": len(row["repeats"]),
                "best": bool(row.get("best")),
                "figures": [spread or {"mean": None, "sd": None} for spread in row["figures"].values()],
            }
            for row in rows
        ],
    }
