"""`deeprc applications`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from deeprc.applications.registry import applications as known
from deeprc.applications.registry import broken
from deeprc.core.needs import points
from deeprc.doctor.result import CheckResult


def applications(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """List the applications that are installed here, and the packages that they are from.

    What is wrong with one that cannot be used goes to standard error, and the exit code is then 2.
    """
    rows = [
        {
            "name": point.name,
            "package": point.dist.name if point.dist else None,
            "version": point.dist.version if point.dist else None,
            "stages": list(known()[point.name].stages) if point.name in known() else [],
            "error": str(broken()[point.name]) if point.name in broken() else None,
        }
        for point in points()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    else:
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            stages = ", ".join(row["stages"]) or "cannot be used"
            typer.echo(f"{row['name']:{width}}  {row['package']} {row['version']}: {stages}")
    for error in broken().values():
        typer.echo(f"error: {error}", err=True)
    if broken():
        raise typer.Exit(next(iter(broken().values())).exit_code)


def checked() -> list[CheckResult]:
    """The same, as the doctor tells it: one that is broken stops no run but its own."""
    sound = CheckResult("applications", "usable", "ok", ", ".join(known()) or "none")
    return [
        sound,
        *(
            CheckResult("applications", name, "warning", f"{error.where}: {error.problem}: {error.found}", error.fix)
            for name, error in broken().items()
        ),
    ]
