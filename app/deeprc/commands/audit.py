"""`deeprc audit RUN`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base.prepared import check_some
from deeprc.core.errors import ConfigError
from deeprc.learning import audit as auditing
from deeprc.learning import ledger, origin
from deeprc.learning.audit import AuditResult
from deeprc.learning.origin import Uses


def audit(
    run: Annotated[Path, typer.Argument(help="the results of a run, or the folder of a model")],
    row: Annotated[
        int | None,
        typer.Option(min=1, help="tell in which steps this line of the data was used (of a Parquet file: this row)"),
    ] = None,
    file: Annotated[str | None, typer.Option(help="with --row: the file's name, where there are several")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Whether every sample was used once per epoch, or which were not: exit 0 or 1.

    With --row: in which steps a line of your file was used, as input or as answer. Lines count as in errors and
    editors: the first one is 1, also where it is the header.

    Example: `deeprc audit results`

    Example: `deeprc audit results --row 1234`
    """
    if file is not None and row is None:
        raise ConfigError("--file goes with --row", found=file, fix="give the number of a line of it, too")
    folders = auditing.find(run)
    names = [ledger.NAME, auditing.FACTS, *([] if row is None else [origin.NAME, origin.FILES])]
    for folder in folders:
        check_some(folder, names)
    if row is not None:
        _show(origin.uses(folders, row, file), as_json)
        return
    verdicts = [auditing.audit(folder) for folder in folders]
    _show(verdicts, as_json)
    raise typer.Exit(int(any(verdict.faults for verdict in verdicts)))


def _show(told: Sequence[Uses | AuditResult], as_json: bool) -> None:
    """Print what was found of each training."""
    if as_json:
        typer.echo(json.dumps([one.record() for one in told], indent=1))
        return
    for one in told:
        typer.echo(one)
