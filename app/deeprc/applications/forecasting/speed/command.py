"""`deeprc bench training`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from deeprc.core.errors import InputError


def training(
    ranks: Annotated[int, typer.Option(min=2, help="MPI ranks on this machine; a power of 2")] = 2,
    batch: Annotated[int, typer.Option(min=4, help="windows of a step, and of each rank in a step")] = 256,
    steps: Annotated[int, typer.Option(min=1, help="steps of a turn")] = 8,
    turns: Annotated[int, typer.Option(min=1, help="turns that count, after one that warms up")] = 5,
    rows: Annotated[int, typer.Option(min=400, help="rows of each of the seven series")] = 17_420,
    threads: Annotated[int, typer.Option(min=1, help="threads beside NeuralForecast; ranks have one each")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Windows per second of forecasting models that learn: beside NeuralForecast's own `fit`, on ranks, in either mode.

    `fit`: the pipeline's training beside `NeuralForecast.fit` of the same class, in turns, each in a process of its
    own. `gain`: ranks beside one rank, with as many windows for each. `modes`: a step of `reproducible: elastic` beside
    one of `fixed`, on all ranks. All of it takes some two minutes on two idle cores.

    Example: `deeprc bench training --json`
    """
    from deeprc.applications.forecasting.speed import run
    from deeprc.applications.forecasting.speed.made import SHARDS

    if ranks & (ranks - 1) or ranks > SHARDS:
        raise InputError(
            f"`reproducible: elastic` cannot train on {ranks} ranks here", found=f"--ranks {ranks}",
            expected=f"a power of 2, at most {SHARDS}", fix="give --ranks 2 or 4",
        )  # fmt: skip
    figures = run.run(ranks, batch, steps, turns, rows, threads, lambda line: typer.echo(line, err=True))
    typer.echo(json.dumps(figures, indent=1) if as_json else run.table(figures))
