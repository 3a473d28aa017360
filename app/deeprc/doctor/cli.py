"""`deeprc doctor`."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from rich.console import Console

from deeprc.errors import unknown
from deeprc.sites import load_site

FAILED = 1  # exit code
NAMES = ["machine", "modules", "world", "allreduce", "provider", "torch"]  # in the order in which they run


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
    only: Annotated[str, typer.Option("--checks", help=f"some of {','.join(NAMES)}")] = ",".join(NAMES),
    patience: Annotated[float, typer.Option("--timeout", min=1, help="seconds that a check may take")] = 120,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Is this machine what its site file says, and do ranks really talk over its network?

    Ranks are started as any task is: `deeprc plan` prints the same line. Example: `deeprc doctor --site localhost`

    Exit code 1 where a check failed.
    """
    from deeprc.doctor import checks  # not for every `deeprc plan`
    from deeprc.doctor.case import choose, make_case, this_site
    from deeprc.doctor.report import show

    wanted = [name.strip() for name in only.split(",") if name.strip()]
    for name in wanted:
        if name not in NAMES:
            raise unknown("check", name, NAMES)
    where = load_site(site) if site else this_site()
    part = choose(where, partition)
    case, remark = make_case(where, part, nodes, ranks, image, patience)
    began = time.monotonic()
    outcomes = [remark] if remark else []
    for name in NAMES:
        if name in wanted:
            outcomes += checks.CHECKS[name](case)
    failed = any(outcome.status == "failed" for outcome in outcomes)
    run = f"image {case.image.name}" if case.image else "no image"
    if as_json:
        head = {"site": where.name, "partition": part.name, "image": case.image and case.image.name}
        record = {**head, "failed": failed, "seconds": round(time.monotonic() - began, 1)}
        typer.echo(json.dumps(record | {"checks": [outcome.record() for outcome in outcomes]}, indent=1))
    else:
        console = Console(width=None if Console().is_terminal else 120)
        layout = case.layout
        nodes_of = "one node" if layout.nodes == 1 else f"{layout.nodes} nodes"
        console.print(f"site {where.name}, partition {part.name}: {layout.ranks} ranks on {nodes_of}, {run}")
        show(outcomes, console)
    if failed:
        raise typer.Exit(FAILED)
