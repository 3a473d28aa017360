"""`deeprc plan`."""

from __future__ import annotations

import datetime
import json
from typing import Annotated, Literal

import typer

from deeprc.core.errors import DeepRCError
from deeprc.launch.choose import make_plan
from deeprc.launch.text import as_text
from deeprc.sites.load import known_sites

REFUSED = 3  # exit code


def plan(
    site: Annotated[str, typer.Option(help="a known site, or the path of a site.yaml", autocompletion=known_sites)],
    command: Annotated[list[str] | None, typer.Argument(help="what each rank runs, after --")] = None,
    partition: Annotated[
        str | None, typer.Option(help="the site's partition; the first that fits, if not given")
    ] = None,
    nodes: Annotated[int, typer.Option(min=1)] = 1,
    ranks: Annotated[int | None, typer.Option(min=1, help="over all nodes; one per node, if not given")] = None,
    gpus_per_rank: Annotated[int, typer.Option(min=0)] = 0,
    cores_per_rank: Annotated[
        int | None, typer.Option(min=1, help="an even share of the usable cores, if not given")
    ] = None,
    comm: Annotated[Literal["mpi", "ccl", "both"], typer.Option(help="what ranks talk through")] = "mpi",
    image: Annotated[
        str | None, typer.Option(help="a variant of the catalog, or `none`; the best one, if not given")
    ] = None,
    model: Annotated[
        Literal["bind", "hybrid", "translate"] | None, typer.Option(help="allow only this way for the image's MPI")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print how a task would be started on a site, and run nothing.

    Example: `deeprc plan --site frontera --nodes 2 --ranks 112 -- python -m deeprc.applications.forecasting.prepare`

    Exit code 3 where it cannot work, with the reason on standard error.
    """
    made = make_plan(
        site, command or [], partition=partition, nodes=nodes, ranks=ranks, gpus_per_rank=gpus_per_rank,
        cores_per_rank=cores_per_rank, comm=comm, image=image, model=model,
    )  # fmt: skip
    if as_json or not made.refused:
        typer.echo(json.dumps(made.record(), indent=1) if as_json else as_text(made, datetime.date.today()), nl=as_json)
    if made.refused:
        where = f"{made.site}, partition {made.partition}" + (f", image {made.image}" if made.image else "")
        raise Refusal(f"refused: {made.reason}", where=where, fix=made.fix)


class Refusal(DeepRCError):
    """It cannot work there."""

    exit_code = REFUSED
