"""The command `deeprc`: each sub-command is a thin call into a package below."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Annotated

import typer

from deeprc.doctor.cli import doctor
from deeprc.errors import DeepRCError
from deeprc.launch.cli import plan
from deeprc.launch.pages import page, pages
from deeprc.sites.cli import site_app, sites

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
bench = typer.Typer(no_args_is_help=True, help="Measure this machine.")
app.command()(sites)
app.command()(plan)
app.command()(doctor)
site_app.command()(page)
site_app.command()(pages)
app.add_typer(site_app, name="site")
app.add_typer(bench, name="bench")

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.callback(invoke_without_command=True)
def top(show_version: Annotated[bool, typer.Option("--version", help="print the version and leave")] = False) -> None:
    """Data engineering and deep learning as one pipeline on any machine.

    The pipelines themselves are started with Snakemake: `snakemake --profile site/localhost`.
    """
    if show_version:
        typer.echo(f"deeprc {version('deeprc')}")
        raise typer.Exit


@bench.command("frames")
def bench_frames(
    rows: Annotated[int, typer.Option(min=1, help="rows of each table, over all ranks")] = 1_000_000,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine")] = 2,
    op: Annotated[str, typer.Option(help="join, sort, groupby or pipeline")] = "join",
    engine: Annotated[str, typer.Option(help="arrow")] = "arrow",
    as_json: Json = False,
) -> None:
    """Rows per second of an operation of the distributed dataframes.

    Example: `deeprc bench frames --rows 5000000 --ranks 2 --op join --json`
    """
    from deeprc.bench import frames

    show(frames.run(rows, ranks, op, engine), as_json)


@bench.command("pilot")
def bench_pilot(
    tasks: Annotated[int, typer.Option(min=1, help="short jobs in the workflow")] = 200,
    as_json: Json = False,
) -> None:
    """Start-up, tasks per second, latency and close of a pilot, beside the local executor.

    Example: `deeprc bench pilot --tasks 200 --json`
    """
    from deeprc.bench import pilot

    show(pilot.run(tasks), as_json)


def show(figures: dict, as_json: bool) -> None:
    """Print figures as JSON, or as lines of `name value`, nested names joined by dots."""
    if as_json:
        typer.echo(json.dumps(figures, indent=1))
        return
    rows = [("", figures)]
    while rows:
        name, value = rows.pop(0)
        if isinstance(value, dict):
            rows = [(f"{name}.{key}".lstrip("."), inner) for key, inner in value.items()] + rows
        else:
            typer.echo(f"{name:<28} {value}")


def main() -> None:
    """Run the command line; a `DeepRCError` is printed as it is and gives the exit code."""
    try:
        app()
    except DeepRCError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
