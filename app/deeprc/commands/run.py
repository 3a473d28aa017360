"""`deeprc run …`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from deeprc.commands import runs
from deeprc.core.commandline import CommandLine
from deeprc.core.errors import ConfigError, nearest

if TYPE_CHECKING:
    from deeprc.pilot import detached

app = CommandLine(no_args_is_help=True, help="Runs of a working directory, and those without a terminal.")
Name = Annotated[str | None, typer.Argument(help="the run; the newest one, if not given")]
Folder = Annotated[Path, typer.Option(help="the private folder of the run's working directory")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
PRIVATE = Path(".deeprc")


@app.command("list")
def list_runs(folder: Folder = PRIVATE, as_json: AsJson = False) -> None:
    """List the runs, and those that go on, or went, without their terminal. Example: `deeprc run list`."""
    found, told = [_about(run) for run in _detached().runs(folder)], runs.rows(folder)
    if as_json:
        typer.echo(json.dumps([*found, *told], indent=1))
        return
    for line in runs.table(told):
        typer.echo(line)
    for each in found:
        typer.echo(f"{each['run']}  {each['state']}  ({each['where']})")
    if not found and not told:
        typer.echo(f"no runs in {folder}")


app.command("show")(runs.show)
app.command("diff")(runs.diff)
app.command("crate")(runs.crate)


@app.command()
def status(run: Name = None, folder: Folder = PRIVATE, as_json: AsJson = False) -> None:
    """Say how a run is; exit code 1 where it has failed or is lost. Example: `deeprc run status`."""
    chosen = _chosen(run, folder)
    about = _about(chosen)
    if as_json:
        typer.echo(json.dumps(about, indent=1))
    else:
        typer.echo(f"{about['run']}: {about['state']}, {about['where']}, since {about['since']}")
        typer.echo(f"  {about['last']}" if about["last"] else "  it has said nothing yet")
    if chosen.code or (chosen.code is None and chosen.lives is False):
        raise typer.Exit(1)


@app.command()
def attach(run: Name = None, folder: Folder = PRIVATE) -> None:
    """Show a run from its beginning to its end, live; the exit code is the run's. Ctrl-C leaves the run alone.

    Example: `deeprc run attach`
    """
    chosen = _chosen(run, folder)
    try:
        code = _following().follow(chosen, sys.stdout.buffer, lambda line: typer.echo(line, err=True))
    except KeyboardInterrupt:
        typer.echo(f"run {chosen.id} goes on: deeprc run attach {chosen.id}", err=True)
        code = 130
    raise typer.Exit(code)


@app.command()
def cancel(run: Name = None, folder: Folder = PRIVATE) -> None:
    """Ask a run to end; its jobs get their time to save (`--radical-pilot-grace`). Example: `deeprc run cancel`."""
    chosen = _chosen(run, folder)
    if chosen.code is not None or chosen.lives is False:
        typer.echo(f"run {chosen.id} has ended already: {chosen.state}", err=True)
        return
    chosen.cancel()
    typer.echo(f"run {chosen.id} was asked to end", err=True)


@app.command()
def forget(run: Annotated[str, typer.Argument(help="the run")], folder: Folder = PRIVATE) -> None:
    """Remove what is known of a run that has ended, or whose machine or batch system is gone for good; end nothing.

    Example: `deeprc run forget 20261126T154402-9214`
    """
    chosen = _chosen(run, folder)
    _detached().forget(chosen)
    typer.echo(f"run {chosen.id} is forgotten", err=True)


def _detached() -> ModuleType:
    """Not at import: images have this command line without what holds pilots."""
    from deeprc.pilot import detached

    return detached


def _following() -> ModuleType:
    from deeprc.pilot import following

    return following


def _chosen(name: str | None, folder: Path) -> detached.Detached:
    there = {run.id: run for run in _detached().runs(folder)}
    if name in there:
        return there[name]
    if name is None and there:
        return there[max(there)]
    raise ConfigError(
        f"no detached run {name}" if name else "no detached runs", where=folder,
        expected=nearest(name, there) if name and there else None,
        fix="deeprc run list; `--folder` names the .deeprc of another working directory",
    )  # fmt: skip


def _about(run: detached.Detached) -> dict[str, object]:
    facts = run.facts
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(facts["since"]))
    return {
        "run": run.id, "state": run.state, "code": run.code, "where": run.where, "since": since,
        "last": _following().last_words(run),
    }  # fmt: skip
