"""`deeprc site detect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deeprc.sites.detect.machine import Machine, find_out
from deeprc.sites.draft import write_draft
from deeprc.sites.identity import here_among_known, looked_for
from deeprc.sites.model import Site


def detect(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    draft: Annotated[
        Path | None, typer.Option(help="write a draft of a site file for this machine to DRAFT/<name>/site.yaml")
    ] = None,
) -> None:
    """What this machine is: its hardware, its scheduler, MPI and container runtime, and which known site it is.

    Example: `deeprc site detect --draft site-configs`
    """
    machine = find_out()
    fitting, broken = here_among_known()
    if as_json:
        path = write_draft(machine, draft) if draft else None
        record = machine.record() | {"sites": [site.name for site in fitting], "draft": str(path) if path else None}
        typer.echo(json.dumps(record, indent=1))
        return
    console = Console(width=None if Console().is_terminal else 120)
    console.print(table(machine))
    console.print(verdict(fitting))
    for problem in broken:
        console.print(f"left out, since its file cannot be used: {problem}", style="yellow")
    if draft:
        console.print(
            f"draft written: {write_draft(machine, draft)} (every guess in it is marked U: see docs/add-a-site.md)"
        )


def verdict(fitting: list[Site]) -> str:
    """Which site this is, in a line or two."""
    told = [site for site in fitting if site.identity.environment or site.identity.hostnames]
    if told:
        return f"this is the site {told[0].name}: {looked_for(told[0])}"
    rest = ", ".join(site.name for site in fitting)
    known = "this machine's variables and host name are those of no known site"
    also = f" (every machine is {rest})" if rest else ""
    return f"{known}{also}\na new site begins with: deeprc site detect --draft site-configs"


def table(machine: Machine) -> Table:
    """What was found, a row for each thing."""
    rows = Table("what", "found", show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, lines in lines_of(machine):
        for number, line in enumerate(lines or ["none"]):
            rows.add_row(name if number == 0 else "", line)
    return rows


def lines_of(machine: Machine) -> list[tuple[str, list[str]]]:
    """The same as names and lines of text."""
    batch = machine.scheduler
    sockets = f"{machine.sockets} socket{'s' * (machine.sockets > 1)}"
    chips = f"{machine.cpu or 'unknown'}, {machine.architecture}, {sockets}"
    cores = f"{machine.physical_cores} cores, {machine.cores} of them usable"
    return [
        ("host", [", ".join(machine.hosts)] + [f"{name}={value}" for name, value in machine.variables.items()]),
        ("processor", [f"{chips}, {cores}, {machine.memory_mb} MB"]),
        (
            "accelerators",
            [
                _words(f"{card.count} x {card.model}", card.arch, card.driver and f"driver {card.driver}", card.how)
                for card in machine.accelerators
            ],
        ),
        (
            "network",
            [
                _words(
                    card.name,
                    card.fabric,
                    card.provider,
                    card.gbit and f"{card.gbit} Gb/s",
                    None if card.active else "down",
                )
                for card in machine.nics
            ],
        ),
        (
            "scheduler",
            [_words("none" if batch.name == "fork" else batch.name, batch.version, batch.cluster, batch.remark)]
            + [
                _words(
                    f"  {queue.name}",
                    f"{queue.nodes} nodes",
                    queue.cores and f"{queue.cores} cores",
                    f"{queue.threads} threads each" if queue.threads > 1 else None,
                    queue.gres,
                    "this node" if queue.here else None,
                )
                for queue in batch.queues
            ]
            + [f"  left out: {why}" for why in batch.left_out],
        ),
        (
            "launchers",
            [
                _words(
                    one.launcher,
                    one.version,
                    one.path,
                    one.pmi and "PMI " + " ".join(one.pmi),
                    f"{batch.default_pmi} where nothing is said"
                    if one.launcher == "srun" and batch.default_pmi
                    else None,
                    "of Deep RC's own environment" if one.own else None,
                )
                for one in machine.launchers
            ],
        ),
        (
            "MPI",
            [
                _words(
                    one.soname or "",
                    f"{one.implementation or 'unknown'} {one.version or ''}".strip(),
                    one.family and f"{one.family} family",
                    one.path,
                )
                for one in machine.mpi
            ],
        ),
        (
            "modules",
            [_words(machine.modules.name, machine.modules.version, *machine.loaded_modules)] if machine.modules else [],
        ),
        ("runtime", [_words(one.name, one.version) for one in machine.runtimes]),
        ("C library", [f"glibc {machine.glibc}"] if machine.glibc else []),
    ]


def _words(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)
