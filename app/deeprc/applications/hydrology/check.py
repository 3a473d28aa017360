"""Stage check: read all data as `prepare` will, so that every mistake in it shows before anything is overwritten."""

from __future__ import annotations

import hashlib
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.split import PARTS
from deeprc.applications.hydrology.alone import alone
from deeprc.applications.hydrology.batch import to_learn_from
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets import open_dataset, values
from deeprc.applications.hydrology.datasets.base import Basin, Dataset
from deeprc.applications.hydrology.sources import sources
from deeprc.applications.hydrology.splits import boundaries, complete, part, refuse_held_out, refuse_too_few
from deeprc.core import fingerprint
from deeprc.core.errors import InputError
from deeprc.core.files import write_json
from deeprc.core.stage import run

MOST_NOTICES = 8  # that are shown; all stand in check.json
WILD = 3  # ranges of the training part's discharge beyond its largest
MOST_RUNOFF = 100.0  # mm a day on average: the wettest basins have 30
FITS = (1e-4, 20.0)  # discharge as a part of the rain; karst and glaciers bring more than falls, deserts hardly any
USUAL = (0.01, 1.3)


def check_basin(dataset: Dataset, basin: str, config: DataConfig) -> dict:
    """What is in a basin's files; raises InputError for the first mistake in them.

    Returns
    -------
    Days of forcing, the first and the last of them, days of discharge that have no forcing (they are left out), missing
    values per column, days per quality word, the windows of each part, sentences for the user, and the files' SHA-256.
    """
    about = dataset.describe(basin)
    forcing, discharge = dataset.forcing(basin), dataset.discharge(basin)
    rows = forcing.join(discharge, on=["basin", "date"], how="left").sort("date")
    observed = discharge.filter(pl.col("obs").is_not_null())
    val_from, test_from = boundaries(observed["date"].min(), observed["date"].max(), config)
    days = rows["date"].to_numpy().astype("datetime64[D]")
    if observed["date"].max() > date.today():
        last = observed["date"].max()
        raise InputError("observed discharge of a day to come", where=dataset.files(basin)[-1], found=last)
    known = rows.select(pl.all_horizontal(pl.col(list(about.inputs)).is_not_null())).to_series().to_numpy()
    usable = complete(np.zeros(len(days)), days, known, config.window) & rows["obs"].is_not_null().to_numpy()
    held_out = basin in config.held_out
    days_of = part(pl.col("date"), pl.lit(val_from), pl.lit(test_from), pl.lit(held_out))
    parts, needed = rows.select(days_of).to_series().to_numpy(), ("test",) if held_out else PARTS
    files = dataset.files(basin)
    windows = refuse_too_few(basin, parts, usable, config.window, ", ".join(map(str, files)), known, needed)
    learned = rows["obs"].to_numpy()[usable & (parts == needed[0])]
    if learned.min() == learned.max():
        verb = "judge" if held_out else "learn"
        raise InputError(
            f"the discharge of {basin!r} never changes in the {needed[0]} part: there is nothing to {verb}",
            where=files[-1], found=f"{learned[0]:g} {about.unit} on {len(learned)} days", fix="move 'split'",
        )  # fmt: skip
    notices = dataset.notices.get(basin, []) + balance(rows, about, files[-1])
    notices += wild(rows.filter(pl.Series(parts != needed[0])), learned, about) if not held_out else []
    notices += still(rows, rows.filter(pl.Series(parts == needed[0])), about) if not held_out else []
    notices += twins(rows, about)
    counts = discharge["quality"].value_counts().sort("quality")
    return {
        "name": about.name,
        "unit": about.unit,
        "place": about.place and dict(zip(("latitude", "longitude"), about.place, strict=True)),
        "days": len(days),
        "first": str(rows["date"][0]),
        "last": str(rows["date"][-1]),
        "discharge_without_forcing": observed.join(forcing, on="date", how="anti").height,
        "missing": {name: rows[name].null_count() for name in [*about.inputs, "obs"]},
        "quality": dict(counts.iter_rows()),
        "windows": windows,
        "notices": notices,
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def wild(rows: pl.DataFrame, learned: np.ndarray, about: Basin) -> list[str]:
    """A sentence about discharge far beyond all that is learned from: a flood, or a fault of the gauge or the unit."""
    low, high = learned.min(), learned.max()
    beyond = rows.filter(pl.col("obs") > high + WILD * (high - low)).sort("obs")
    if beyond.is_empty():
        return []
    day, most = beyond.select("date", "obs").row(-1)
    return [
        f"{len(beyond):,} {'day' if len(beyond) == 1 else 'days'} of discharge far beyond the training part: "
        f"{most:.6g} {about.unit} on {day}, where it has at most {high:.6g}; no network has learned such floods, and "
        "they may rule all figures of the errors"
    ]


def still(rows: pl.DataFrame, learned: pl.DataFrame, about: Basin) -> list[str]:
    """A sentence for each input that changes, but not where it is learned from: a sensor that came later, or stood."""
    return [
        f"the input {name!r} never changes in the training part, and does after it: what it means there is not learned"
        for name in about.inputs
        if learned[name].drop_nulls().n_unique() < 2 <= rows[name].drop_nulls().n_unique()
    ]


def twins(rows: pl.DataFrame, about: Basin) -> list[str]:
    """A sentence for each input that is another one: made from the same column, or a copy of it in the file."""
    same = [pair for pair in combinations(about.inputs, 2) if rows[pair[0]].equals(rows[pair[1]])]
    return [f"the inputs {a!r} and {b!r} are the same on every day: are they of one column?" for a, b in same]


def balance(rows: pl.DataFrame, about: Basin, where: object) -> list[str]:
    """What is odd about the discharge beside the rain, as sentences.

    Raises
    ------
    InputError
        Where it is so far from the rain that the area or a unit must be wrong.
    """
    rain = next((name for name in about.inputs if values.RAIN.search(name)), None)
    if about.unit != "mm/day" or rain is None:
        return []
    both = rows.select("obs", rain).drop_nulls()
    runoff, fallen = both["obs"].mean() or 0.0, both[rain].mean() or 0.0
    said = f"{runoff:.3g} mm a day of discharge, {fallen:.3g} mm a day of rain"
    said += f", over {about.area:,.6g} km2" if about.area else ""
    if runoff > MOST_RUNOFF or (fallen > 0 and not FITS[0] < runoff / fallen < FITS[1]):
        raise InputError(
            f"the discharge of {about.basin!r} does not fit its rain: the area or a unit is wrong",
            where=where,
            found=said,
            expected="discharge that is a part of the rain",
            fix="correct the catchment's area (in km2) or the unit of the discharge",
        )
    usual = fallen == 0 or USUAL[0] < runoff / fallen < USUAL[1]
    return [] if usual else [f"is the area right? {said}"]


def refuse_copies(basins: dict[str, dict]) -> None:
    """Raise InputError where one file stands under the names of two basins."""
    seen: dict[str, tuple[str, str]] = {}
    for basin, found in basins.items():
        for name, code in found["sha256"].items():
            other, twin = seen.setdefault(code, (basin, name))
            if other != basin and twin != name:
                raise InputError(
                    f"the basins {other!r} and {basin!r} have the same file under two names",
                    where=name, found=twin, fix="name the right file, or leave one of them out (key 'basins')",
                )  # fmt: skip


def main(
    data: Annotated[list[Path], typer.Argument(help="the tables, or the data set's folder")],
    config: Annotated[str, typer.Option(help="the data's options as JSON (DataConfig)")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
) -> None:
    """Check the data of every basin.

    Example: `python -m deeprc.applications.hydrology.check --config '{"window": 90}' --out check.json fulda.csv`
    """
    options = commandline.options(DataConfig, config)
    made_from = fingerprint.prepared(sources(options, data), options.model_dump(mode="json"))
    dataset = open_dataset(options, data)
    abouts = {basin: dataset.describe(basin) for basin in dataset.basins}
    refuse_held_out(list(abouts.values()), options.held_out)
    basins = {basin: check_basin(dataset, basin, options) for basin in dataset.basins}
    refuse_copies(basins)
    for basin, found in basins.items():
        print(f"{basin}: {found['days']} days, {found['first']} to {found['last']}, windows {found['windows']}")
    notices = [f"{basin}: {notice}" for basin, found in basins.items() for notice in found["notices"]]
    for notice in notices[:MOST_NOTICES]:
        print(f"note: {notice}")
    if len(notices) > MOST_NOTICES:
        print(f"note: and {len(notices) - MOST_NOTICES} more, in {out}")
    windows = sum(sum(found["windows"].values()) for found in basins.values())
    print(f"{len(basins)} basin{'s' if len(basins) > 1 else ''}, {windows:,} windows")
    kinds = {basin: (about.unit, *about.inputs) for basin, about in abouts.items()}
    found = {"dataset": options.dataset, "basins": basins, "alone": alone(kinds)}
    found["training_windows"] = to_learn_from(kinds, {basin: about["windows"] for basin, about in basins.items()})
    write_json(out, found | {fingerprint.KEY: made_from})


if __name__ == "__main__":
    run(main)
