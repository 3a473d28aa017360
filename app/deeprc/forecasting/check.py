"""Stage `check`: refuse data that cannot work, before anything is overwritten."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from deeprc import fingerprint
from deeprc.contents import named
from deeprc.errors import InputError
from deeprc.files import write_json
from deeprc.forecasting.config import DataConfig
from deeprc.forecasting.data import read
from deeprc.forecasting.splits import PARTS, Grid, make_grid
from deeprc.stage import run
from deeprc.validation import validate


def grid_of(table: pl.DataFrame, config: DataConfig, path: Path) -> Grid:
    """The regular grid under the times of `table`."""
    if (count := table["id"].n_unique()) > 1:
        raise InputError(f"{count} series in one file: only one is understood", where=path)
    times = table["time"].sort()
    if len(times) < 2:
        raise InputError("too few rows for the windows", where=path, found=f"{len(times)} rows")
    steps = times.diff().drop_nulls()
    step: timedelta = steps.mode().min()
    odd = ((times - times[0]).dt.total_microseconds() % (step // timedelta(microseconds=1)) != 0).arg_true()
    if len(odd):
        raise InputError(
            "the times are not evenly spaced",
            where=path,
            found=f"{times[int(odd[0])]}",
            expected=f"{times[0]} and whole multiples of {step} after it",
        )
    limits = {"horizon": config.horizon, "input_size": config.input_size}
    return make_grid(times[0], times[-1], step, config.split, where=path, **limits)


def main(
    data: Annotated[Path, typer.Option(help="the csv file")],
    config: Annotated[str, typer.Option(help="the data options as JSON")],
    out: Annotated[Path, typer.Option(help="the summary to write (JSON)")],
) -> None:
    """Read the data, refuse what cannot work, and write a summary.

    Example: `python -m deeprc.forecasting.check --data beijing.csv --config '{}' --out check.json`
    """
    from deeprc.datasets import sha256

    options = validate(DataConfig, json.loads(config), where="--config")
    made_from = fingerprint.prepared(named([data]), options.model_dump(mode="json"))
    found = read(data, options)
    table = found.frame
    grid = grid_of(table, options, data)
    parts = {part: grid.bounds(part) for part in PARTS}
    observed = table.select(grid.row("time").alias("row"), "y").drop_nulls()
    for part, (begin, end) in parts.items():
        if observed.filter(pl.col("row").is_between(begin, end - 1)).is_empty():
            raise InputError(
                f"the {part} part has no value of the target",
                where=data,
                found=f"nothing from {grid.time(begin)} to {grid.time(end - 1)}",
                fix="choose another split",
            )
    write_json(
        out,
        {
            "dataset": found.title,
            "file": str(data),
            "sha256": sha256(data),
            "target": found.target,
            "rows": len(table),
            "first": str(grid.first),
            "last": str(grid.time(grid.rows - 1)),
            "step": str(grid.step),
            "absent_rows": grid.rows - len(table),
            "missing": {name.removeprefix("x:"): table[name].null_count() for name in ["y", *found.covariates]},
            "parts": {part: end - begin for part, (begin, end) in parts.items()},
            "notices": found.notices,
            fingerprint.KEY: made_from,
        },
    )
    for notice in found.notices:
        print(f"note: {notice}")
    print(f"{found.title}: {len(table):,} rows from {grid.first} on; {table['y'].null_count():,} without a value")


if __name__ == "__main__":
    run(main)
