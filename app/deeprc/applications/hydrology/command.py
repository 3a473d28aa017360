"""`deeprc bench basins`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def basins(
    data: Annotated[Path, typer.Option(help="the folder of CAMELS-US, or of some of its basins")],
    forcing: Annotated[str, typer.Option(help="daymet, maurer or nldas: one that the folder has")] = "daymet",
    variant: Annotated[str, typer.Option(help="small, paper or entity-aware")] = "small",
    epochs: Annotated[int | None, typer.Option(min=1, help="instead of the variant's")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the networks")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="threads to compute with")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """NSE and KGE of rivers by one network for all and by one for each, beside climatology and persistence.

    Some minutes on one core for four basins of three years.

    Example: `deeprc bench basins --data camels_us --forcing daymet`
    """
    from deeprc.applications.hydrology import compared

    options = {"forcing": forcing, "variant": variant, **({"epochs": epochs} if epochs else {})}
    figures = compared.run(data, options, seed, threads)
    typer.echo(json.dumps(figures, indent=1) if as_json else compared.table(figures))
