"""Stage check: read all data as `prepare` will, so that every mistake in it shows before anything is overwritten."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer

from deeprc import fingerprint
from deeprc.files import write_json
from deeprc.hydrology.config import DataConfig
from deeprc.hydrology.dataset import Dataset, open_dataset
from deeprc.hydrology.sources import sources
from deeprc.hydrology.splits import boundaries, complete, part, refuse_too_few
from deeprc.stage import run
from deeprc.validation import validate


def check_basin(dataset: Dataset, basin: str, config: DataConfig) -> dict:
    """What is in a basin's files; raises InputError for the first mistake in them.

    Returns
    -------
    Days of forcing, the first and the last of them, days of discharge that have no forcing (they are left out), missing
    values per column, days per quality word, the windows of each part, and the files' SHA-256.
    """
    about = dataset.describe(basin)
    forcing, discharge = dataset.forcing(basin), dataset.discharge(basin)
    rows = forcing.join(discharge, on=["basin", "date"], how="left").sort("date")
    observed = discharge.filter(pl.col("obs").is_not_null())
    val_from, test_from = boundaries(observed["date"].min(), observed["date"].max(), config)
    days = rows["date"].to_numpy().astype("datetime64[D]")
    known = rows.select(pl.all_horizontal(pl.col(list(about.inputs)).is_not_null())).to_series().to_numpy()
    usable = complete(np.zeros(len(days)), days, known, config.window) & rows["obs"].is_not_null().to_numpy()
    parts = rows.select(part(pl.col("date"), pl.lit(val_from), pl.lit(test_from))).to_series().to_numpy()
    files = dataset.files(basin)
    windows = refuse_too_few(basin, parts, usable, config.window, ", ".join(map(str, files)))
    counts = discharge["quality"].value_counts().sort("quality")
    return {
        "name": about.name,
        "unit": about.unit,
        "days": len(days),
        "first": str(rows["date"][0]),
        "last": str(rows["date"][-1]),
        "discharge_without_forcing": observed.join(forcing, on="date", how="anti").height,
        "missing": {name: rows[name].null_count() for name in [*about.inputs, "obs"]},
        "quality": dict(counts.iter_rows()),
        "windows": windows,
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def main(
    data: Annotated[list[Path], typer.Argument(help="the csv files, one per basin, or the CAMELS-US folder")],
    config: Annotated[str, typer.Option(help="the data's options as JSON (DataConfig)")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
) -> None:
    """Check the data of every basin.

    Example: `python -m deeprc.hydrology.check --config '{"window": 90}' --out check.json fulda.csv`
    """
    options = validate(DataConfig, json.loads(config), where="--config")
    made_from = fingerprint.prepared(sources(options, data), options.model_dump(mode="json"))
    dataset = open_dataset(options, data)
    basins = {basin: check_basin(dataset, basin, options) for basin in dataset.basins}
    for basin, found in basins.items():
        print(f"{basin}: {found['days']} days, {found['first']} to {found['last']}, windows {found['windows']}")
    write_json(out, {"dataset": options.dataset, "basins": basins, fingerprint.KEY: made_from})


if __name__ == "__main__":
    run(main)
