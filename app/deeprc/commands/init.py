"""`deeprc init`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.registry import left_out
from deeprc.sites.load import known_sites
from deeprc.workflow.study import Study, chosen


def init(
    folder: Annotated[str, typer.Argument(help="the study's folder; it is made, or is empty")],
    application: Annotated[
        list[str] | None,
        typer.Option("--application", "-a", help="a pipeline (repeat it); all that are installed, if not given"),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            help="a machine to have a profile for (repeat it); localhost, if not given", autocompletion=known_sites
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Make a study of your own: a Snakefile with our pipelines and a rule of yours, its configuration, and profiles.

    Example: `deeprc init study`, then `cd study` and `snakemake --profile site/localhost`

    Example: `deeprc init rivers --application hydrology --site localhost --site frontera`
    """
    for note in () if application else left_out():
        typer.echo(note, err=True)
    study = Study(Path(folder), chosen(application), list(dict.fromkeys(site or ["localhost"])))
    files, missing = study.make(), study.missing()
    if as_json:
        record = {"folder": str(study.folder.absolute()), "applications": study.applications, "sites": study.sites}
        typer.echo(json.dumps(record | {"files": sorted(map(str, files)), "missing": missing}, indent=1))
        return
    for each in missing:
        typer.echo(f"note: {each['module']} is not installed here: pip install '{each['install']}'", err=True)
    if around := study.around():
        typer.echo(f"note: it lies in another study, {around}, and has nothing of it", err=True)
    typer.echo(f"{folder}: {', '.join(study.applications)}; it runs with")
    dash = "-- " if folder.startswith("-") else ""
    typer.echo(f"  cd {dash}{shlex.quote(folder)} && snakemake --profile site/{study.sites[0]}")
