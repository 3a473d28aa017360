"""`deeprc bench basins`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def basins(
    data: Annotated[
        Path | None, typer.Option(help="the folder of CAMELS-US, or of some of its basins; left out: the demo's rivers")
    ] = None,
    basin: Annotated[list[str] | None, typer.Option(help="one to take (again for each); left out: all")] = None,
    forcing: Annotated[str | None, typer.Option(help="of CAMELS-US: daymet (left out), maurer or nldas")] = None,
    variant: Annotated[str, typer.Option(help="small, paper or entity-aware")] = "small",
    epochs: Annotated[int | None, typer.Option(min=1, help="instead of the variant's")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the networks")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="threads to compute with")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """NSE and KGE of rivers by one network for all and by one for each, beside climatology and persistence.

    Some minutes on one core for four basins of three years. The demo's two rivers, which are not alike, have one each.

    Example: `deeprc bench basins --data camels_us --forcing daymet`
    """
    from deeprc.applications.hydrology import compared

    given = {"forcing": forcing, "variant": variant, "epochs": epochs}
    options = {key: value for key, value in given.items() if value is not None}
    figures = compared.run(data, options, seed, threads, basin or [])
    typer.echo(json.dumps(figures, indent=1) if as_json else compared.table(figures))
