"""`deeprc doctor`."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deeprc.core.errors import ConfigError, unknown
from deeprc.doctor.result import CheckResult
from deeprc.sites import load_site
from deeprc.sites.load import file_of

FAILED = 1  # exit code
NAMES = [
    "machine",
    "modules",
    "world",
    "allreduce",
    "provider",
    "gpus",
    "torch",
    "applications",
]  # in the order in which they run
PRIVATE = ".deeprc"
SECURITY = ["libzmq", "sockets", "folders", "programs", "namespace", "umask", "secrets"]


def doctor(
    site: Annotated[
        str | None, typer.Option(help="a known site, or the path of a site.yaml; else this machine's")
    ] = None,
    partition: Annotated[str | None, typer.Option(help="the site's partition; the job's, or the first")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="the job's, if not given")] = None,
    ranks: Annotated[int | None, typer.Option(min=1, help="over all nodes; two per node, if not given")] = None,
    image: Annotated[
        str | None, typer.Option(help="a variant of the catalog, or `none`; the site's, if not given and it is there")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--checks", help=f"some of {','.join(NAMES)}; with --security {','.join(SECURITY)}")
    ] = None,
    patience: Annotated[float, typer.Option("--timeout", min=1, help="seconds that a check may take")] = 120,
    security: Annotated[
        bool, typer.Option("--security", help="who else could get in here: sockets, folders, programs, secrets")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help=f"with --security: the private folder of runs; {PRIVATE}, if not given")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="mark in the site file what was seen to be so: `seen`, date, version")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Is this machine what its site file says, and do ranks really talk over its network?

    Ranks are started as any task is: `deeprc plan` prints the same line. Example: `deeprc doctor --site localhost`

    `--security` asks who else could get in here instead, and starts nothing: docs/security.md.

    Exit code 1 where a check failed.
    """
    names = SECURITY if security else NAMES
    wanted = [name.strip() for name in (only or ",".join(names)).split(",") if name.strip()]
    for name in wanted:
        if name not in names:
            raise unknown("check", name, names)
    ranks_only = {"--partition": partition, "--nodes": nodes, "--ranks": ranks, "--image": image}
    if security and confirm:
        raise ConfigError("--security confirms no facts of a site file", found="--confirm", fix="leave it out")
    for option, value in (ranks_only if security else {"--folder": folder}).items():
        if value is not None:
            problem = f"{option} plays no part in deeprc doctor {'--security' if security else 'without --security'}"
            raise ConfigError(problem, found=f"{option} {value}", fix="leave it out")
    began, mark = time.monotonic(), None
    if security:
        head, title, outcomes = _security(wanted, folder or Path(PRIVATE), site)
    else:
        head, title, outcomes, mark = _machine(wanted, site, partition, nodes, ranks, image, patience)
    failed = any(outcome.status == "failed" for outcome in outcomes)
    if as_json:
        record = {**head, "failed": failed, "seconds": round(time.monotonic() - began, 1)}
        record |= {"checks": [outcome.record() for outcome in outcomes]}
        record |= {"confirmed": mark()} if mark and confirm else {}
        typer.echo(json.dumps(record, indent=1))
    else:
        from deeprc.doctor.report import show

        console = Console(width=None if Console().is_terminal else 120)
        console.print(title)
        show(outcomes, console)
        for line in mark() if mark and confirm else []:
            console.print(line, markup=False, highlight=False)
    if failed:
        raise typer.Exit(FAILED)


def _machine(
    wanted: list[str], site: str | None, partition: str | None, nodes: int | None, ranks: int | None,
    image: str | None, patience: float,
) -> tuple[dict, str, list[CheckResult], Callable[[], list[str]]]:  # fmt: skip
    """What JSON begins with, the table's title, what was found, and what writes it into the site file."""
    from deeprc.commands.applications import checked
    from deeprc.doctor import checks  # not for every `deeprc plan`
    from deeprc.doctor.case import choose, make_case, this_site
    from deeprc.doctor.confirm import confirm

    where = load_site(site) if site else this_site()
    part = choose(where, partition)
    case, remark = make_case(where, part, nodes, ranks, image, patience)
    outcomes = [remark] if remark else []
    known = {"applications": lambda case: checked(), **checks.CHECKS}
    outcomes += [outcome for name in NAMES if name in wanted for outcome in known[name](case)]
    nodes_of = "one node" if case.layout.nodes == 1 else f"{case.layout.nodes} nodes"
    run = f"image {case.image.name}" if case.image else "no image"
    title = f"site {where.name}, partition {part.name}: {case.layout.ranks} ranks on {nodes_of}, {run}"
    head = {"site": where.name, "partition": part.name, "image": case.image and case.image.name}
    file, today = file_of(site or where.name), datetime.date.today()
    return head, title, outcomes, partial(confirm, file, where, part, case.layout, outcomes, today)


def _security(wanted: list[str], folder: Path, site: str | None) -> tuple[dict, str, list[CheckResult]]:
    """The same for `--security`."""
    from deeprc.doctor.security import CHECKS, look
    from deeprc.sites.identity import here_among_known

    fitting = [load_site(site)] if site else here_among_known()[0]
    place = look(folder, fitting[0] if fitting else None)
    outcomes = [outcome for name in SECURITY if name in wanted for outcome in CHECKS[name](place)]
    running = [str(pilot.folder) for pilot in place.pilots]
    title = f"{place.folder}: {len(running) or 'no'} pilot{'s' * (len(running) != 1)} on this machine"
    return {"folder": str(place.folder), "pilots": running}, title, outcomes
