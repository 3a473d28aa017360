"""Stage `check`: refuse data that cannot work, before anything is overwritten."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.split import PARTS
from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.data import read
from deeprc.applications.forecasting.grid import lay_out
from deeprc.applications.forecasting.learned import learned
from deeprc.applications.forecasting.reach import refuse_far, without_scale
from deeprc.applications.forecasting.splits import refuse_unknown, windows
from deeprc.core import fingerprint
from deeprc.core.contents import named
from deeprc.core.files import write_json
from deeprc.core.stage import run


def main(
    data: Annotated[Path, typer.Option(help="the data: csv or Parquet")],
    config: Annotated[str, typer.Option(help="the data options as JSON")],
    out: Annotated[Path, typer.Option(help="the summary to write (JSON)")],
) -> None:
    """Read the data, refuse what cannot work, and write a summary.

    Example: `python -m deeprc.applications.forecasting.check --data beijing.csv --config '{}' --out check.json`
    """
    from deeprc.core.files import sha256

    options = commandline.options(DataConfig, config)
    found = read(data, options)
    made_from = fingerprint.prepared(named([data]), options.model_dump(mode="json"))
    grid = lay_out(found, options, data)
    found = learned(found, grid, options, data)
    known = grid.place(found.frame)
    refuse_unknown(grid, known, options.horizon, options.input_size, data)
    absent = grid.rows - len(known)
    gaps = f"{absent:,} of {grid.rows:,} times, from the first to the last, are not in the file: they are gaps"
    notices = [
        *found.notices,
        *[gaps] * (absent > 0),
        *grid.notices,
        *without_scale(grid, known),
        *refuse_far(grid, known, data),
    ]
    shown = {name: name if name == "x:y" else name.removeprefix("x:") for name in ["y", *found.covariates]}
    edges = itertools.pairwise(("begin", "val", "test", "end"))
    lengths = {part: grid.series[last] - grid.series[first] for part, (first, last) in zip(PARTS, edges, strict=True)}
    several = len(grid.series) > 1
    rows = grid.series["end"] - grid.series["begin"]
    write_json(
        out,
        {
            "dataset": found.title,
            "file": str(data),
            "sha256": sha256(data),
            "target": found.target,
            **({"series": len(rows), "rows_of_a_series": {"least": rows.min(), "most": rows.max()}} if several else {}),
            "rows": len(known),
            "first": str(grid.first),
            "last": str(grid.last),
            "step": str(grid.step),
            "season": grid.step.ahead(grid.season) if grid.season > 1 else "none",
            "horizon": grid.step.ahead(options.horizon),
            "absent_rows": absent,
            "series_of_other_times": grid.apart,
            "training_windows": windows(grid, known, options.horizon, options.input_size),
            "windows_with_validation": windows(grid, known, options.horizon, options.input_size, until="test"),
            "missing": {word: known[name].null_count() for name, word in shown.items()},
            "parts": {part: length.sum() for part, length in lengths.items()},
            "notices": notices,
            fingerprint.KEY: made_from,
        },
    )
    for notice in notices:
        print(f"note: {notice}")
    whose = f" of {len(rows):,} series" if several else ""
    print(
        f"{found.title}: {len(known):,} rows{whose} from {grid.first} on, a step of {grid.step}, season "
        f"{grid.step.ahead(grid.season) if grid.season > 1 else 'none'}; {known['y'].null_count():,} without a value"
    )


if __name__ == "__main__":
    run(main)
