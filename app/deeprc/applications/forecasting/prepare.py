"""Stage `prepare`: from the user's file to memory-mapped model inputs, on MPI ranks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import sealed
from deeprc.applications.forecasting.config import DataConfig
from deeprc.core import fingerprint
from deeprc.core.contents import named
from deeprc.core.files import write_json
from deeprc.core.stage import run
from deeprc.learning import origin


def main(
    data: Annotated[Path, typer.Option(help="the data: csv or Parquet")],
    config: Annotated[str, typer.Option(help="the data options as JSON")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
) -> None:
    """Put each series on its regular times, fill gaps, split by time, scale on the training part, write Arrow files.

    Example:
    `mpiexec -n 2 python -m deeprc.applications.forecasting.prepare --data beijing.csv --config '{}' --out prepared`
    """
    # The frames set the threads of Polars, which must happen before it is imported.
    from deeprc.frames import Communicator, Frame  # isort: skip
    import numpy as np
    import polars as pl

    from deeprc.applications.forecasting.dealt import read_dealt
    from deeprc.applications.forecasting.features import GAP, calendar, edges, fill, scale

    comm = Communicator.world()
    options = commandline.options(DataConfig, config)
    made_from = fingerprint.prepared(named([data]), options.model_dump(mode="json")) if comm.rank == 0 else None
    found, grid = read_dealt(data, options, comm)
    covariates = found.covariates
    columns = ["y", *covariates]

    # Each rank brings its share of the grid, the first one the rows; the join brings together what belongs to one time.
    begin, end = (grid.rows * rank // comm.size for rank in (comm.rank, comm.rank + 1))
    known, times = Frame(grid.place(found.frame), comm), Frame(grid.stretch(begin, end), comm)
    local = times.join(known, on="row", how="left").sort("row").to_polars()

    local = local.with_columns(pl.col("y").alias("y_raw"), pl.col("y").is_not_null().alias("observed"))
    local = fill(local, comm.allgather(edges(local, columns)), columns, options.max_gap)
    counts = comm.allgather([int(local[GAP + name].max() or 0) for name in columns])
    bridged = [GAP + name for name, most in zip(columns, np.max(counts, axis=0), strict=True) if most]
    scaler = _fit_scaler(local, columns, comm)
    local = scale(local, columns, scaler)
    future = _changing(calendar(local["ds"], grid.step, options.calendar_as), local["part"] == 0, comm)
    local = local.with_columns(future)
    names = [column.name for column in future]
    lines = local.filter(pl.col("line").is_not_null()).select("row", pl.lit(0, pl.Int64).alias("file"), "line")
    local = local.select("series", "ds", "part", "y", "y_raw", "observed", "usable", *covariates, *names, *bridged)
    rows = Frame.from_arrow(local.to_arrow(), comm)
    months = rows.with_columns(pl.col("ds").dt.truncate("1mo").alias("month")).groupby(["series", "month"])
    monthly = months.agg({"y_raw": ["count", "mean", "min", "max"], "ds": ["count"]}).sort(["series", "month"])

    with sealed(out, comm) as temporary:
        rows.write_arrow(temporary / "series.arrow")
        monthly.write_arrow(temporary / "monthly.arrow")
        Frame(lines, comm).write_arrow(temporary / origin.LINES)
        if comm.rank == 0:
            step, season = grid.step, grid.season
            meta = {
                "dataset": found.title,
                "target": found.target,
                "unit": found.unit,
                "horizon": options.horizon,
                "input_size": options.input_size,
                "step": str(step),
                "ahead": step.ahead(options.horizon),
                "season": season,
                "season_length": step.ahead(season),
                "rows": grid.rows,
                "history": covariates,
                "future": names,
                "series": [
                    {
                        "id": about["id"],
                        "first": str(about["first"]),
                        "bounds": [about[edge] for edge in ("begin", "val", "test", "end")],
                        "scaler": {name: own[index].tolist() for index, name in enumerate(columns)},
                    }
                    for about, own in zip(grid.series.to_dicts(), scaler, strict=True)
                ],
                fingerprint.KEY: made_from,
            }
            write_json(temporary / "meta.json", meta)
            reach = {"before": options.input_size, "after": options.horizon}
            write_json(temporary / origin.FILES, [{"name": data.name, **reach}])
    if comm.rank == 0:
        several = f" of {len(grid.series):,} series" if len(grid.series) > 1 else ""
        print(f"{found.title}: {grid.rows:,} times{several}, a step of {grid.step}, in {comm.size} parts")


def _fit_scaler(local, columns: list[str], comm):
    """The scaler of every series, on all ranks: each is fitted whole by the rank that holds its first row."""
    import numpy as np
    import polars as pl

    from deeprc.applications.forecasting.features import fit

    first = local["row"].first() if len(local) else math.inf
    train = local.filter(pl.col("part") == 0).select("series", "series_begin", "row", *columns)
    foreign = pl.col("series_begin") < first
    others = pl.concat(comm.allgather(train.filter(foreign)))
    begun = train.filter(~foreign)["series"].unique().to_list()
    mine = pl.concat([train.filter(~foreign), others.filter(pl.col("series").is_in(begun))]).sort("row")
    values = mine.select(pl.col(columns).fill_null(math.nan)).to_numpy()
    number = mine["series"].to_numpy()
    begins = np.flatnonzero(np.diff(number, prepend=-1))
    return np.concatenate(comm.allgather(fit(values, begins) if len(begins) else np.empty((0, len(columns), 2))))


def _changing(columns: list, train, comm) -> list:
    """The columns that change within the training rows of all ranks: of what stands still there nothing is learned."""
    import numpy as np

    values = np.stack([column.filter(train).to_numpy() for column in columns]) if columns else np.empty((0, 0))
    ends = comm.allgather((values.min(1, initial=np.inf), values.max(1, initial=-np.inf)))
    low, high = (pick(end, axis=0) for pick, end in zip((np.min, np.max), zip(*ends, strict=True), strict=True))
    return [column for column, spread in zip(columns, high - low, strict=True) if spread > 1e-3]


if __name__ == "__main__":
    run(main)
