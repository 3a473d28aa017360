"""`deeprc bench frames` and `pdsh`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deeprc.commands.bench.told import Json, Output, app, kept, show

ENTRANT = (
    "arrow or cylon; polars or duckdb with as many threads, dask with as many workers, pandas; "
    "ENGINE:RANKS with others; arrow:2:text with text as keys"
)
ANSWERS = (
    "arrow; polars or duckdb with as many threads; ENGINE:RANKS with others; arrow:2:pruned by columns chosen by hand"
)
Against = Annotated[
    str | None, typer.Option(help="another such engine, measured in turns with the first: their ratio is told")
]


@app.command("frames")
def bench_frames(
    rows: Annotated[int, typer.Option(min=1, help="rows of each table, over all ranks")] = 1_000_000,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine")] = 2,
    op: Annotated[str, typer.Option(help="join, sort, groupby or pipeline")] = "join",
    engine: Annotated[str, typer.Option(help=ENTRANT)] = "arrow",
    against: Against = None,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Rows per second of an operation of the distributed dataframes.

    Example: `deeprc bench frames --rows 5000000 --ranks 2 --op join --against polars --json`

    Example: `deeprc bench frames --rows 5000000 --ranks 2 --op pipeline --against dask`
    """
    from deeprc.bench import frames

    show(kept(frames.run(rows, ranks, op, engine, against, repeats), output), as_json)


@app.command("pdsh")
def bench_pdsh(
    scale: Annotated[float, typer.Option("--sf", min=0.001, help="scale factor; 0.01, 0.1 and 1 have answers")] = 0.1,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine")] = 2,
    query: Annotated[int | None, typer.Option(help="one query alone")] = None,
    engine: Annotated[str, typer.Option(help=ANSWERS)] = "arrow",
    against: Against = None,
    data: Annotated[Path | None, typer.Option(help="a folder to keep the tables of this scale factor in")] = None,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """The 22 queries of PDS-H from Parquet, against reference answers; exit 1 when one is wrong.

    Example: `deeprc bench pdsh --sf 1 --ranks 2 --json`

    Example: `deeprc bench pdsh --sf 1 --ranks 2 --against arrow:2:pruned`
    """
    from deeprc.bench.pdsh import run

    figures = run.run(scale, ranks, query, engine, data, repeats, against)
    kept(figures, output)
    show(
        figures if as_json else {**figures, "queries": {f"q{row['query']}": row for row in figures["queries"]}}, as_json
    )
    if any(row["right"] is False for row in figures["queries"]):
        raise typer.Exit(1)
