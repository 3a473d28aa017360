"""`deeprc cluster …`."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from deeprc import cluster
from deeprc.core.commandline import CommandLine

app = CommandLine(no_args_is_help=True, help="A Slurm of three made-up nodes on this machine, to try a cluster.")
Folder = Annotated[Path | None, typer.Option(help="its private folder; ~/.cache/deeprc/cluster, if not given")]
ADDRESS = "DEEPRC_ADDRESS=127.0.0.1"
NAMES = ("SLURM_CONF", "DEEPRC_ADDRESS")  # what a shell knows of it


@app.command("up")
def begin(folder: Folder = None) -> None:
    """Start it, or what is missing of it; print what a shell has to know of it.

    Example: `eval "$(deeprc cluster up)"`, then `snakemake --profile site/cluster-local`
    """
    there, begun = cluster.up((folder or cluster.place()).absolute())
    typer.echo(f"{', '.join(there.names)}: {'up' if begun else 'up already'}, in {there.folder}", err=True)
    typer.echo(f"export SLURM_CONF={shlex.quote(str(there.conf))} {ADDRESS}")


@app.command()
def status(folder: Folder = None, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Say of each daemon whether it runs, and what Slurm says of the nodes; exit code 1 where not all is well.

    Example: `deeprc cluster status`
    """
    there = cluster.standing((folder or cluster.place()).absolute())
    missing = there.missing() if there else []
    nodes = there.states() if there else {}
    jobs = there.jobs() if nodes else []
    if as_json:
        found = {"folder": str(there.folder) if there else None, "missing": missing, "nodes": nodes, "jobs": jobs}
        typer.echo(json.dumps(found, indent=1))
    elif there is None:
        typer.echo("no cluster is up: deeprc cluster up")
    else:
        for name, state in nodes.items():
            typer.echo(f"{name}  {state}")
        typer.echo(f"{len(jobs)} jobs{''.join(f' {name}' for name in jobs)}")
        if missing:
            typer.echo(f"not running: {', '.join(missing)}; deeprc cluster up starts what is missing")
    if there is None or missing:
        raise typer.Exit(1)


@app.command("down")
def end(folder: Folder = None) -> None:
    """End it, with all jobs, and remove its folder. Example: `deeprc cluster down`."""
    place = (folder or cluster.place()).absolute()
    conf = cluster.Cluster(place).conf.resolve()
    was = cluster.down(place)
    typer.echo("down" if was else "no cluster was up", err=True)
    if (named := os.environ.get("SLURM_CONF")) and Path(named).resolve() == conf:
        names = " ".join(name for name in NAMES if name in os.environ)
        typer.echo(f"this shell still looks for it: unset {names}", err=True)
