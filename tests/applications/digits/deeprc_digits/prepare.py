"""Stage prepare: read the images on all ranks, split them, and take the mean image of each digit."""

from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import sealed
from deeprc.applications.base.split import PARTS
from deeprc.core import fingerprint
from deeprc.core.contents import named
from deeprc.core.errors import InputError
from deeprc.core.files import write_json
from deeprc.core.stage import run
from deeprc.frames import Communicator, Frame
from deeprc_digits.application import DataOptions

PIXELS = [f"pixel_{number}" for number in range(64)]


def main(
    data: Annotated[Path, typer.Option(help="a table of 64 pixels and the digit")],
    config: Annotated[str, typer.Option(help="the data options as JSON")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
) -> None:
    """Prepare the images on MPI ranks."""
    import polars as pl  # after the frames, which set its threads

    options, comm = commandline.options(DataOptions, config), Communicator.world()
    record = fingerprint.prepared(named([data]), options.model_dump(mode="json")) if comm.rank == 0 else None
    table = pl.read_csv(data, has_header=False)
    if table.width != 65:
        raise InputError("no table of digits", where=data, found=f"{table.width} columns", expected="65")
    table = table.rename(dict(zip(table.columns, [*PIXELS, "digit"], strict=True))).with_row_index("row")
    cuts = [round(len(table) * sum(options.split[:parts])) for parts in (1, 2)]
    rows = Frame(table[comm.rank :: comm.size], comm).sort("row")  # each rank its share
    part = sum((pl.col("row") >= edge).cast(pl.Int64) for edge in cuts)
    rows = rows.with_columns(part.replace_strict(dict(enumerate(PARTS)), return_dtype=pl.String).alias("part"))
    train = rows.filter(pl.col("part") == "train").groupby("digit")
    with sealed(out, comm) as folder:
        rows.write_arrow(folder / "images")
        train.agg({"row": "len"} | dict.fromkeys(PIXELS, "mean")).sort("digit").write_arrow(folder / "means")
        if comm.rank == 0:
            write_json(folder / "meta.json", {"images": len(table), fingerprint.KEY: record})


if __name__ == "__main__":
    run(main)
