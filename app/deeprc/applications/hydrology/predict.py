"""Stage predict: simulated discharge of every day that has a complete window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import pyarrow as pa
import typer

from deeprc.applications.base.prepared import check_parts, read_facts
from deeprc.applications.hydrology.backend import keras, start
from deeprc.applications.hydrology.fit import simulate
from deeprc.applications.hydrology.prepared import read_prepared
from deeprc.applications.hydrology.samples import Scaler, make_samples
from deeprc.core import fingerprint
from deeprc.core.errors import InputError
from deeprc.core.files import atomic
from deeprc.core.stage import run


def main(
    prepared: Annotated[Path, typer.Option(help="the folder that prepare wrote")],
    model: Annotated[Path, typer.Option(help="the folder that train wrote")],
    out: Annotated[Path, typer.Option(help="the Arrow file to write: basin, date, split, obs, sim, quality")],
    threads: Annotated[int, typer.Option(min=1, help="threads to compute with")] = 1,
) -> None:
    """Simulate the discharge of all basins.

    Example: `python -m deeprc.applications.hydrology.predict --prepared prepared --model model --out predictions.arrow`
    """
    data = read_prepared(prepared)
    check_parts(model)
    trained = read_facts(model / "model.json")
    made_from = trained.get(fingerprint.KEY)
    fingerprint.refuse(model, fingerprint.part_of(made_from), data.meta.get(fingerprint.KEY), prepared)
    start(threads=threads, seed=trained["options"]["seed"])
    frames = []
    for network in trained["networks"]:
        if strangers := set(network["basins"]) - set(data.basins):
            raise InputError("the model was trained on other basins", where=model, found=", ".join(sorted(strangers)))
        samples, _ = make_samples(data, network["basins"], Scaler(**network["weather"]))
        loaded = keras.models.load_model(model / f"{network['name']}.keras")
        days = samples.frame[samples.ends].select("basin", "date", "split", "obs", "quality")
        sim = simulate(loaded, samples, Scaler(**network["target"]))
        if not np.isfinite(sim).all():
            raise InputError(
                f"the network {network['name']!r} simulates values that are not finite", where=model,
                fix="train it anew, with a lower 'learning_rate'",
            )  # fmt: skip
        frames.append(days.insert_column(4, pl.Series("sim", sim)))
    table = pl.concat(frames).sort("basin", "date").to_arrow()
    table = table.replace_schema_metadata(fingerprint.to_arrow(made_from))
    with atomic(out) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
        writer.write_table(table)


if __name__ == "__main__":
    run(main)
