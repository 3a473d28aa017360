"""Stage `prepare`: from the csv file to memory-mapped model inputs, on MPI ranks."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from deeprc import fingerprint
from deeprc.contents import named
from deeprc.files import atomic, write_json
from deeprc.forecasting.config import DataConfig
from deeprc.prepared import seal
from deeprc.stage import run
from deeprc.validation import validate


def main(
    data: Annotated[Path, typer.Option(help="the csv file")],
    config: Annotated[str, typer.Option(help="the data options as JSON")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
) -> None:
    """Fill gaps, join calendar and weather by time, sort, split by time, scale on the training part, write Arrow files.

    Example: `mpiexec -n 2 python -m deeprc.forecasting.prepare --data beijing.csv --config '{}' --out prepared`
    """
    # The frames set the threads of Polars, which must happen before it is imported.
    from deeprc.frames import Communicator, Frame  # isort: skip
    import polars as pl

    from deeprc.forecasting.check import grid_of
    from deeprc.forecasting.data import read
    from deeprc.forecasting.features import CALENDAR, calendar, edges, fill, scale, with_part

    comm = Communicator.world()
    options = validate(DataConfig, json.loads(config), where="--config")
    made_from = fingerprint.prepared(named([data]), options.model_dump(mode="json")) if comm.rank == 0 else None
    found = read(data, options)
    grid, weather = grid_of(found.frame, options, data), found.covariates
    table = found.frame.rename({"time": "ds"})
    columns = ["y", *weather]

    # Each rank brings its share of the rows and of the grid; the joins bring together what belongs to one time.
    def share(rows: int) -> tuple[int, int]:
        return rows * comm.rank // comm.size, rows * (comm.rank + 1) // comm.size

    begin, end = share(len(table))
    mine = table[begin:end]
    hours = Frame.from_arrow(calendar(grid, *share(grid.rows)).to_arrow(), comm)
    target = Frame.from_arrow(mine.select("ds", "y").to_arrow(), comm)
    climate = Frame.from_arrow(mine.select("ds", *weather).to_arrow(), comm)
    joined = hours.join(target, on="ds", how="left").join(climate, on="ds", how="left").sort("ds")
    joined = joined.with_columns(pl.col("ds").dt.truncate("1mo").alias("month"))
    monthly = joined.groupby("month").agg({"y": ["count", "mean", "min", "max"], "row": ["count"]}).sort("month")

    local = with_part(pl.from_arrow(joined.to_arrow()).sort("row"), grid)
    local = local.with_columns(pl.col("y").alias("y_raw"), pl.col("y").is_not_null().alias("observed"))
    local = fill(local, comm.allgather(edges(local, columns)), columns, options.max_gap)
    scaler = _fit_scaler(local, columns, comm)
    local = scale(local, scaler)
    usable = pl.col("y_short").alias("usable")
    local = local.select("ds", "row", "part", "y", "y_raw", "observed", usable, *weather, *CALENDAR)

    with ExitStack() as stack:
        temporary = stack.enter_context(atomic(out)) if comm.rank == 0 else None
        temporary = comm.bcast(temporary)
        Frame.from_arrow(local.to_arrow(), comm).write_arrow(temporary / "series.arrow")
        monthly.write_arrow(temporary / "monthly.arrow")
        if comm.rank == 0:
            meta = {
                "dataset": found.title,
                "target": found.target,
                "unit": found.unit,
                "horizon": options.horizon,
                "input_size": options.input_size,
                "first": str(grid.first),
                "step_seconds": grid.step.total_seconds(),
                "rows": grid.rows,
                "cuts": list(grid.cuts),
                "history": weather,
                "future": CALENDAR,
                "scaler": {name: list(pair) for name, pair in scaler.items()},
                fingerprint.KEY: made_from,
            }
            write_json(temporary / "meta.json", meta)
        seal(temporary, comm)
    comm.barrier()
    if comm.rank == 0:
        print(f"{found.title}: {grid.rows:,} hours in {comm.size} parts; scaled by {scaler['y']} (mean, deviation)")


def _fit_scaler(local, columns: list[str], comm) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each column over the training rows of all ranks.

    Rounded to ten digits: the order in which ranks add up must not show in the result.
    """
    import polars as pl

    train = local.filter(pl.col("part") == 0)
    count = comm.allreduce(len(train))
    scaler = {}
    for name in columns:
        mean = comm.allreduce(float(train[name].sum())) / count
        spread = math.sqrt(comm.allreduce(float(((train[name] - mean) ** 2).sum())) / count)
        scaler[name] = (float(f"{mean:.10g}"), float(f"{spread:.10g}") or 1.0)
    return scaler


if __name__ == "__main__":
    run(main)
