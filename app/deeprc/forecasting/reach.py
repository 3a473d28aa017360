"""Whether the target stays within reach of its training part, so that scaled by it all values can be computed with."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from deeprc.errors import InputError
from deeprc.forecasting.grid import Grid
from deeprc.tabular.numbers import word

FAR = 1e8  # standard deviations of the training part: single precision tells no smaller steps apart out there


def refuse_far(grid: Grid, placed: pl.DataFrame, path: Path) -> list[str]:
    """Refuse a value of the target that is absurdly far from the training part; `placed` as from `Grid.place`.

    Returns
    -------
    list
        Sentences about series whose target stands still in training, of which nothing can be learned.

    Raises
    ------
    InputError
        For a value more than `FAR` standard deviations away: a wrong unit or digit, or a word for missing.
    """
    series = grid.series.select("id", "begin", "val")
    known = placed.select("row", "y").drop_nulls().sort("row")
    known = known.join_asof(series, left_on="row", right_on="begin", coalesce=False)
    begin = known.filter(pl.col("row") < pl.col("val")).group_by("id", maintain_order=True)
    y, low, high = pl.col("y"), pl.col("y").min().alias("low"), pl.col("y").max().alias("high")
    scale = begin.agg(y.mean().alias("mean"), y.std(ddof=0).alias("spread"), low, high)
    still = pl.col("low") == pl.col("high")
    away = (y - pl.col("mean")).abs() / pl.when(still).then(1.0).otherwise(pl.col("spread"))
    far = known.join(scale, on="id", maintain_order="left").with_columns(away.alias("away")).filter(away > FAR)
    if len(far):
        name, row, value, low, high = far.select("id", "row", "y", "low", "high").row(0)
        raise InputError(
            "the target goes absurdly far from all values of the training part",
            where=path if len(series) == 1 else f"{path}, series {name!r}",
            found=f"{word(value)} at {grid.stretch(row, row + 1)['ds'][0]}"
            + (f" ({len(far):,} such values in all)" if len(far) > 1 else ""),
            expected=f"values like those of the training part, {low:.6g} to {high:.6g}",
            fix=f"correct it; if it means a missing value, add it to the key 'missing': [\"{word(value)}\"]; "
            "if it is right, choose another split",
        )
    names = scale.filter(still)["id"].to_list()
    if not names:
        return []
    whose = "" if len(series) == 1 else f" of {len(names)} of {len(series)} series ({', '.join(names[:5])})"
    return [f"the target{whose} has one single value in the training part: nothing can be learned of it"]
