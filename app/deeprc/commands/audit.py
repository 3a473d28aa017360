"""`deeprc audit RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deeprc.learning import audit as auditing


def audit(run: Annotated[Path, typer.Argument(help="the results of a run, or the folder of a model")]) -> None:
    """Whether every sample was used once per epoch, or which were not: exit 0 or 1.

    Example: `deeprc audit results`
    """
    verdicts = [auditing.audit(folder) for folder in auditing.find(run)]
    for verdict in verdicts:
        typer.echo(verdict)
    raise typer.Exit(int(any(verdict.faults for verdict in verdicts)))
