"""`deeprc sites` and `deeprc site …`."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deeprc.commands.detect import detect
from deeprc.core.commandline import CommandLine
from deeprc.core.errors import DeepRCError, unknown
from deeprc.core.files import write_json
from deeprc.images.catalog import load_catalog
from deeprc.launch.images import unknown_images
from deeprc.launch.launchers import unknown_launchers
from deeprc.launch.pages import example, write_pages
from deeprc.sites.age import OLD, RANK, doubtful, stated
from deeprc.sites.keys import keys, table_of
from deeprc.sites.load import load_site, readable_sites, site_schema
from deeprc.sites.model import Site
from deeprc.sites.page import render

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
app = CommandLine(help="The known sites, and which facts of them should be read again.")
site_app = CommandLine(no_args_is_help=True, help="What this machine is, and what site files may hold.")
site_app.command("detect")(detect)


@app.callback(invoke_without_command=True)
def sites(context: typer.Context, as_json: Json = False) -> None:
    """List the known sites. Example: `deeprc sites --json`.

    What is wrong with a file that cannot be read goes to standard error, and the exit code is then 2.
    """
    if context.invoked_subcommand:
        return
    known, broken = readable_sites()
    if as_json:
        typer.echo(json.dumps([_row(site) for site in known], indent=1))
    else:
        _show(known)
    _end(broken)


@app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="sites, or files; all that are in service, if not given")
    ] = None,
    older_than: Annotated[int, typer.Option(min=1, metavar="MONTHS", help="from this age on a fact is old")] = OLD,
    as_json: Json = False,
) -> None:
    """List the facts that should be read again, with their sources: dates yet to come, old, undated, `!` and `U`.

    Example: `deeprc sites check --older-than 12 frontier`
    """
    known, broken = ([load_site(name) for name in names], []) if names else readable_sites()
    # A machine without a batch system is detected anew each time, and the facts of a retired one no longer change.
    asked = [site for site in known if names or (site.batch and site.status.state == "active")]
    broken += [error for site in asked for error in unknown_launchers(site)]
    broken += [error for site in asked for error in unknown_images(load_catalog(), site)]
    found = doubtful(asked, datetime.date.today(), older_than)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=1, default=str))
    else:
        table = Table("why", "age", "site", "fact", "source, note")
        for each in found:
            age = "" if each.months is None else f"{each.months} months"
            about = "; ".join(filter(None, (each.source, each.note)))
            table.add_row(", ".join(each.reasons), age, each.site, each.place, escape(about))
        _print(table)
        facts = sum(len(stated(site.facts())) for site in asked)
        count = {reason: sum(reason in each.reasons for each in found) for reason in RANK}
        words = {
            "future": "with a date yet to come",
            "old": f"{older_than} months or older",
            "undated": "without a date",
            "!": "!",
            "U": "U",
        }
        told = ", ".join(f"{count[reason]} {words[reason]}" for reason in RANK)
        typer.echo(f"{facts} facts of {len(asked)} sites: {told}")
    _end(broken)


def _end(broken: list[DeepRCError]) -> None:
    for error in broken:
        typer.echo(f"error: {error}", err=True)
    if broken:
        raise typer.Exit(broken[0].exit_code)


def _show(known: list[Site]) -> None:
    table = Table("site", "cores", "accelerators", "launcher", "interconnect", "MPI", "images by")
    for site in known:
        for number, part in enumerate(site.partitions):
            label = site.name if len(site.partitions) == 1 else f"{site.name}:{part.name}"
            gpus = f"{part.gpus} x {part.accelerator.model}" if part.accelerator else ""
            machine = (str(part.usable_cores), gpus, site.launcher_on(part).name)
            retired = f"retired {site.status.retired}" if site.status.retired else None
            shared = (site.interconnect.description, ", ".join(site.families), retired or site.runtime.kind)
            table.add_row(label, *machine, *(shared if number == 0 else ("", "", "")))
    _print(table)


def _print(table: Table) -> None:
    """Piped into a file or a pager, the table is as wide as it needs to be."""
    console = Console()
    Console(width=console.width if console.is_terminal else 160).print(table)


def _row(site: Site) -> dict:
    return {
        "name": site.name,
        "description": site.description,
        "status": site.status.state,
        "retired": str(site.status.retired) if site.status.retired else None,
        "successor": site.status.successor,
        "scheduler": site.scheduler.name,
        "launcher": site.launcher.name,
        "accelerators": sorted({part.accelerator.model for part in site.partitions if part.accelerator}),
        "interconnect": site.interconnect.description,
        "fabric": site.interconnect.fabric,
        "mpi_family": site.families[0],
        "mpi_families": site.families,
        "runtime": site.runtime.kind,
        "partitions": [
            {"name": p.name, "nodes": p.nodes, "cores": p.usable_cores, "memory_mb": p.memory_mb, "gpus": p.gpus}
            | {"architecture": p.architecture, "accelerator": p.accelerator.model if p.accelerator else None}
            for p in site.partitions
        ],
    }


@site_app.command("schema")
def schema(
    out: Annotated[Path | None, typer.Option(help="the file to write; standard output, if not given")] = None,
) -> None:
    """The JSON Schema of site files, for editors. Example: `deeprc site schema --out site.schema.json`."""
    if out is None:
        typer.echo(json.dumps(site_schema(), indent=1))
    else:
        write_json(out, site_schema())


@site_app.command("keys")
def explain(
    part: Annotated[str | None, typer.Argument(help="a key, such as launcher; all, if not given")] = None,
) -> None:
    """Say what each key of a site file means, with a real site's example. Example: `deeprc site keys launcher`."""
    known = [path for path, _, _ in keys()]
    chosen = [path for path in known if part is None or f"{path}.".startswith(f"{part}.")]
    if not chosen:
        raise unknown("key", part, known)
    typer.echo(table_of(chosen), nl=False)


@site_app.command()
def page(name: Annotated[str, typer.Argument(help="a known site")]) -> None:
    """Print a site's page, as docs/sites has it. Example: `deeprc site page frontier`."""
    site = load_site(name)
    typer.echo(render(site, example(site)), nl=False)


@site_app.command()
def pages(out: Annotated[Path, typer.Option(help="the folder to write to")] = Path("docs/sites")) -> None:
    """Write the pages of all sites. Example: `deeprc site pages --out docs/sites`."""
    for path in write_pages(out):
        typer.echo(path)
