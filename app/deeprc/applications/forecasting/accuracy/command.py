"""`deeprc bench accuracy`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

CACHE = Path(".cache/accuracy")


def accuracy(
    data: Annotated[Path, typer.Option(help="ETTh1.csv or ETTh2.csv (github.com/zhouhaoyi/ETDataset)")],
    model: Annotated[list[str] | None, typer.Option(help="this model alone; may be given again")] = None,
    horizon: Annotated[list[int] | None, typer.Option(help="this horizon alone; may be given again")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="trainings of each, with the seeds 1, 2, …")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="threads to compute with")] = 1,
    minutes: Annotated[float | None, typer.Option(min=0, help="begin no training later than this")] = None,
    cache: Annotated[Path, typer.Option(help="the folder to keep what is measured in, and to go on from")] = CACHE,
    out: Annotated[Path | None, typer.Option(help="a file to write the figures to, as JSON")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Forecasts of ETT beside published rows: DLinear, NHITS, PatchTST, iTransformer, TimesNet at four horizons.

    Every training is one of the zoo's models, by the forecasting pipeline's own stages, as docs/forecasting.md says.
    Prints a table. Exit 0: each model is at most 0.01 of MSE above its published row; 1: one is above, or was not run;
    2: the data or an option cannot be used. An interrupted bench goes on where it was.

    All of it takes some hours on one core, DLinear by itself some minutes.

    Examples:

    `deeprc bench accuracy --data ETTh1.csv --model DLinear`

    `deeprc bench accuracy --data ETTh1.csv --minutes 60 --out etth1.json`

    `deeprc bench accuracy --data ETTh2.csv --model PatchTST --horizon 96 --seeds 3 --json`
    """
    from deeprc.applications.forecasting.accuracy import published, run
    from deeprc.core.files import write_json

    asked = (model or list(published.MODELS), horizon or list(published.HORIZONS), range(1, seeds + 1))
    figures = run.run(data, *asked, cache, threads, minutes)
    if out:
        write_json(out, figures)
    typer.echo(json.dumps(figures, indent=1) if as_json else f"{run.table(figures)}\n\ngate: {figures['gate']}")
    if figures["gate"] != "met":
        raise typer.Exit(1)
