"""Whether the training part gives a scale: values stay within its reach, and MASE has what it measures errors by."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from deeprc.applications.base.tabular.numbers import word
from deeprc.applications.forecasting.features import FAR
from deeprc.applications.forecasting.grid import Grid, whom
from deeprc.core.errors import InputError

WILD = 3  # ranges of the training part beyond its ends: forecasts, and all figures, may be ruled by such values
ABSURD = 1e8  # deviations: out there single precision tells no smaller steps apart than the whole training part


def refuse_far(grid: Grid, placed: pl.DataFrame, path: Path) -> list[str]:
    """Refuse a value of the target that is absurdly far from the training part; `placed` as from `Grid.place`.

    Returns
    -------
    list
        Sentences about targets that stand still in training, of which nothing can be learned, about values of the
        target far beyond all of the training part, and about covariates so far away that they are cut off.

    Raises
    ------
    InputError
        For a target more than `ABSURD` standard deviations away: a wrong unit or digit, or a word for missing.
    """
    series = grid.series.select("id", "begin", "val")
    known = placed.sort("row").join_asof(series, left_on="row", right_on="begin", coalesce=False)
    columns = [name for name in placed.columns if name not in ("row", "line")]
    # No name of a covariate begins as these of ours do.
    training = known.filter(pl.col("row") < pl.col("val")).group_by("id", maintain_order=True)
    scale = training.agg(
        [pl.col(name).mean().alias(f"mean of {name}") for name in columns]
        + [pl.col(name).std(ddof=0).alias(f"spread of {name}") for name in columns]
        + [(pl.col(name).min() == pl.col(name).max()).alias(f"still of {name}") for name in columns]
        + [pl.col("y").min().alias("low"), pl.col("y").max().alias("high")]
    )
    # What stands still is scaled by 1, as `features.fit` has it.
    away = [
        ((pl.col(name) - pl.col(f"mean of {name}")).abs()
        / pl.when(f"still of {name}").then(1.0).otherwise(f"spread of {name}")
        > (ABSURD if name == "y" else FAR)).alias(f"far of {name}")
        for name in columns
    ]  # fmt: skip
    judged = known.join(scale, on="id", maintain_order="left").with_columns(away)
    _refuse(judged.filter("far of y"), grid, path)
    still = scale.filter("still of y")["id"].to_list()
    whose = "" if len(series) == 1 else f" of {len(still)} of {len(series)} series ({', '.join(still[:5])})"
    notices = [f"the target{whose} has one single value in the training part: nothing can be learned of it"]
    counts = [judged[f"far of {name}"].sum() for name in columns[1:]]
    notices = notices[: len(still)] + _wild(judged, grid)
    return notices + [
        f"far from all values of the training part, and cut off at {FAR:,.0f} deviations from their mean: "
        f"{count:,} values of the covariate {name.removeprefix('x:')!r}"
        for name, count in zip(columns[1:], counts, strict=True)
        if count
    ]


def _wild(judged: pl.DataFrame, grid: Grid) -> list[str]:
    """A sentence about values of the target far beyond all of its training part: right, or wrong by a unit."""
    reach = WILD * (pl.col("high") - pl.col("low"))
    beyond = pl.max_horizontal(pl.col("y") - pl.col("high"), pl.col("low") - pl.col("y"))
    wild = judged.filter((pl.col("row") >= pl.col("val")) & (pl.col("high") > pl.col("low")) & (beyond > reach))
    if wild.is_empty():
        return []
    name, row, value, low, high = wild.sort(beyond / reach).select("id", "row", "y", "low", "high").row(-1)
    whose = f" of {wild['id'].n_unique()} of {len(grid.series)} series" if len(grid.series) > 1 else ""
    which = f" of {name!r}" if len(grid.series) > 1 else ""
    return [
        f"{len(wild):,} {'value' if len(wild) == 1 else 'values'} of the target{whose} far beyond the training part: "
        f"{value:.6g}{which} at {grid.stretch(row, row + 1)['ds'][0]}, where it has {low:.6g} to {high:.6g}; "
        "no model has learned such values, and they may rule all figures of the errors"
    ]


def _refuse(far: pl.DataFrame, grid: Grid, path: Path) -> None:
    if far.is_empty():
        return
    name, row, value, low, high = far.select("id", "row", "y", "low", "high").row(0)
    raise InputError(
        "the target goes absurdly far from all values of the training part",
        where=path if len(grid.series) == 1 else f"{path}, series {name!r}",
        found=f"{word(value)} at {grid.stretch(row, row + 1)['ds'][0]}"
        + (f" ({len(far):,} such values in all)" if len(far) > 1 else ""),
        expected=f"values like those of the training part, {low:.6g} to {high:.6g}",
        fix=f"correct it; if it means a missing value, add it to the key 'missing': [\"{word(value)}\"]; "
        "if it is right, choose another split",
    )


def without_scale(grid: Grid, placed: pl.DataFrame) -> list[str]:
    """A sentence about the series of which MASE will not be known, though a season comes before their test part."""
    series = grid.series.filter(pl.col("test") - pl.col("begin") >= grid.season).select("id", "begin", "val")
    known = placed.select("row", "y").drop_nulls("y").sort("row")
    known = known.join_asof(grid.series.select("id", "begin"), left_on="row", right_on="begin", coalesce=False)
    training = known.join(series.select("id", "val"), on="id").filter(pl.col("row") < pl.col("val"))
    before = training.select("id", pl.col("row") + grid.season, pl.col("y").alias("before"))
    scaled = training.join(before, on=["id", "row"]).filter(pl.col("y") != pl.col("before"))
    if not (ids := series.filter(~pl.col("id").is_in(scaled["id"].unique().to_list()))["id"].to_list()):
        return []
    season = grid.step.ahead(grid.season)
    return [
        f"{whom(ids, len(grid.series))}: no two values of the training part lie a season ({season}) apart and differ: "
        "MASE is not known"
    ]
