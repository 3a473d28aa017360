"""Stage prepare: read the basins' files on all ranks, join forcing to discharge, split the time."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import sealed
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets import open_dataset
from deeprc.applications.hydrology.datasets.base import Dataset
from deeprc.applications.hydrology.lines import OBSERVED, WEATHER, apart, by_file
from deeprc.applications.hydrology.prepared import FRAME, META
from deeprc.applications.hydrology.sources import sources
from deeprc.applications.hydrology.splits import boundaries, part, refuse_held_out
from deeprc.core import fingerprint
from deeprc.core.files import write_json
from deeprc.core.stage import run
from deeprc.frames import Communicator, Frame
from deeprc.learning import origin

KEYS = {"basin": pl.String, "date": pl.Date}


def read_shares(dataset: Dataset, inputs: list[str], comm: Communicator) -> tuple[Frame, Frame]:
    """The forcing and the discharge of all basins; every rank reads its share of the basins' files.

    Forcing and discharge of a basin are dealt to different ranks, so that a single basin already keeps two ranks busy.

    Parameters
    ----------
    inputs
        The inputs of all basins: the columns of the forcing (null where a basin has not got one).
    """
    forcing = [dataset.forcing(basin) for basin in dataset.basins[comm.rank :: comm.size]]
    discharge = [dataset.discharge(basin) for basin in dataset.basins[(comm.rank + 1) % comm.size :: comm.size]]
    # A rank without files takes part with no rows, but with the same columns.
    weather = pl.DataFrame(schema=KEYS | dict.fromkeys(inputs, pl.Float64) | {WEATHER: pl.Int64})
    observed = pl.DataFrame(schema=KEYS | {"obs": pl.Float64, "quality": pl.String, "line": pl.Int64})
    return (
        Frame(pl.concat([weather, *forcing], how="diagonal"), comm),
        Frame(pl.concat([observed, *discharge]).rename({"line": OBSERVED}), comm),
    )


def limits(discharge: Frame, config: DataConfig) -> dict[str, tuple[date, date]]:
    """The first day of each basin's validation part and of its test part."""
    observed = discharge.filter(pl.col("obs").is_not_null()).groupby("basin").agg({"date": ["min", "max"]})
    return {row["basin"]: boundaries(row["date_min"], row["date_max"], config) for row in observed.gather().to_pylist()}


def prepare(dataset: Dataset, config: DataConfig, comm: Communicator) -> tuple[Frame, dict]:
    """The frame, sorted by basin and date, with the lines of its rows, and its description; every rank calls it.

    The description (`meta.json`) holds the data set's name, `window`, and per basin what `Basin` holds, the first day
    of its validation part (`val_from`) and of its test part (`test_from`), and whether it is `held_out`.
    """
    abouts = [dataset.describe(basin) for basin in dataset.basins]
    refuse_held_out(abouts, config.held_out)
    inputs = sorted({name for about in abouts for name in about.inputs})
    forcing, discharge = read_shares(dataset, inputs, comm)
    parts = limits(discharge, config)
    val_from, test_from = (
        pl.col("basin").replace_strict({basin: days[index] for basin, days in parts.items()}, return_dtype=pl.Date)
        for index in (0, 1)
    )
    frame = (
        forcing.join(discharge, on=["basin", "date"], how="left")
        .with_columns(
            part(pl.col("date"), val_from, test_from, pl.col("basin").is_in(config.held_out)).alias("split"),
            pl.col("quality").fill_null("missing"),
        )
        .sort(["basin", "date"])
    )
    basins = {
        about.basin: asdict(about)
        | {"val_from": str(parts[about.basin][0]), "test_from": str(parts[about.basin][1])}
        | {"held_out": about.basin in config.held_out}
        for about in abouts
    }
    return frame, {"dataset": config.dataset, "window": config.window, "basins": basins}


def main(
    data: Annotated[list[Path], typer.Argument(help="the tables, or the data set's folder")],
    config: Annotated[str, typer.Option(help="the data's options as JSON (DataConfig)")],
    out: Annotated[Path, typer.Option(help="the folder to write: frame.arrow, lines.arrow, meta.json, lines.json")],
) -> None:
    """Prepare the data of every basin on MPI ranks.

    Example:
    `mpiexec -n 2 python -m deeprc.applications.hydrology.prepare --config '{"window": 90}' --out prepared fulda.csv`
    """
    options = commandline.options(DataConfig, config)
    comm = Communicator.world()
    made_from = fingerprint.prepared(sources(options, data), options.model_dump(mode="json")) if comm.rank == 0 else {}
    dataset = open_dataset(options, data)
    frame, meta = prepare(dataset, options, comm)
    frame, lines = apart(frame)
    lines, files = by_file(lines, dataset, options.window)
    with sealed(out, comm) as folder:
        frame.write_arrow(folder / FRAME)
        Frame(lines, comm).write_arrow(folder / origin.LINES)
        if comm.rank == 0:
            write_json(folder / origin.FILES, files)
            write_json(folder / META, meta | {fingerprint.KEY: made_from})
    if comm.rank == 0:
        print(f"{len(meta['basins'])} basins on {comm.size} ranks")


if __name__ == "__main__":
    run(main)
