"""Train, validation and test by time, and whether each series is long enough for its windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from deeprc.applications.base.split import PARTS
from deeprc.core.errors import InputError

if TYPE_CHECKING:
    from deeprc.applications.forecasting.config import DataConfig
    from deeprc.applications.forecasting.grid import Grid

VERBS = {"train": "train", "val": "validate", "test": "test"}


def cut(series: pl.DataFrame, config: DataConfig, path: Path) -> pl.DataFrame:
    """Cut each series, of a length `rows`, by the same fractions of its own length.

    Returns
    -------
    polars.DataFrame
        `series` with the rows at which its parts begin and it ends, counted over all series: `begin`, `val`, `test`,
        `end`.

    Raises
    ------
    InputError
        Where a part is too short for one window. All such series are named at once.
    """
    rows = pl.col("rows")
    # Rounded first: 0.7 + 0.1 is a little less than 0.8.
    fractions = {"train": config.split[0], "test": round(sum(config.split), 9)}
    # 0.7 of 700 rows is a little less than 490, too.
    ends = [(rows * fraction).round(6).cast(pl.Int64).alias(name) for name, fraction in fractions.items()]
    lengths = series.with_columns(ends).select(
        "id",
        "rows",
        pl.col("train"),
        (pl.col("test") - pl.col("train")).alias("val"),
        (rows - pl.col("test")).alias("test"),
    )
    _refuse_short(lengths, config, path)
    end = rows.cum_sum()
    begin = end - rows
    train, val = lengths["train"], lengths["val"]
    return series.with_columns(
        begin.alias("begin"), (begin + train).alias("val"), (begin + train + val).alias("test"), end.alias("end")
    ).drop("rows")


def needed(config: DataConfig) -> dict[str, int]:
    """The rows that each part must have.

    A forecast may start from rows of an earlier part, so only training must hold the whole window itself.
    """
    return {"train": config.input_size + config.horizon, "val": config.horizon, "test": config.horizon}


def _refuse_short(lengths: pl.DataFrame, config: DataConfig, path: Path) -> None:
    least = needed(config)
    short = [pl.when(pl.col(part) < least[part]).then(pl.lit(part)) for part in PARTS]
    bad = lengths.with_columns(pl.coalesce(short).alias("short")).drop_nulls("short")
    if bad.is_empty():
        return
    sizes = f"input_size {config.input_size}, horizon {config.horizon}"
    if len(lengths) == 1:
        part, row = bad["short"][0], bad.row(0, named=True)
        raise InputError(
            f"too few rows for the windows of the {part} part",
            where=path,
            found=f"{row[part]} rows of {row['rows']} in all",
            expected=f"at least {least[part]} ({sizes})",
            fix="give more data, or a smaller horizon, input_size or another split",
        )
    found = [f"{row['id']}: {row['rows']} rows, {row[row['short']]} to {VERBS[row['short']]}" for row in bad.to_dicts()]
    ids = bad["id"].to_list()
    raise InputError(
        f"{len(bad)} of {len(lengths)} series are too short for their windows",
        where=path,
        found="; ".join(found),
        expected=", ".join(f"at least {least[part]} rows to {VERBS[part]}" for part in PARTS)
        + f" ({sizes}, split {list(config.split)})",
        fix="a smaller horizon or input_size, or another split" + leave_out(ids) * (len(bad) < len(lengths)),
    )


def refuse_unknown(grid: Grid, placed: pl.DataFrame, horizon: int, input_size: int, path: Path) -> None:
    """Refuse a target that is nowhere known where it must be; `placed` as from `Grid.place`.

    Each series needs a value in its training part, to be scaled by, and one among the forecasts of its test part, to be
    judged by; all series together need some that training and validation aim at, from a value before them.
    """
    series = grid.series.with_row_index("series")
    known = placed.drop_nulls("y").select("row").sort("row")
    known = known.join_asof(series, left_on="row", right_on="begin", coalesce=False)
    row, begin, val, test, end = (pl.col(name) for name in ("row", "begin", "val", "test", "end"))
    start = pl.max_horizontal(begin + input_size, row.min().over("series") + 1)  # of the first forecast
    aims = {
        "scale": row < val,
        "train": (row >= start) & (row < val) & (start + horizon <= val),
        "val": (row >= val) & (row < test),
        "test": (row >= test) & (row < test + (end - test) // horizon * horizon),
    }
    counts = known.group_by("series").agg(aim.sum().alias(f"in {name}") for name, aim in aims.items())
    counts = series.join(counts, on="series", how="left", maintain_order="left").fill_null(0)
    for name in aims:
        empty = counts.filter(pl.col(f"in {name}") == 0)
        if empty.is_empty() or (name in ("train", "val") and len(empty) < len(counts)):
            continue
        part = "train" if name == "scale" else name
        edges = {"train": ("begin", "val"), "val": ("val", "test"), "test": ("test", "end")}[part]
        first, last = empty.select(*edges).row(0)
        times = (grid.stretch(at, at + 1)["ds"][0] for at in (first, last - 1))
        several, ids = len(counts) > 1, empty["id"].to_list()
        raise InputError(
            f"the {part} part has no value of the target" + (f" in {len(ids)} of {len(counts)} series" * several),
            where=path,
            found=", ".join(ids) if several else "nothing that a forecast aims at from {} to {}".format(*times),
            fix="choose another split" + leave_out(ids) * (len(ids) < len(counts)),
        )


def windows(grid: Grid, placed: pl.DataFrame, horizon: int, input_size: int, *, until: str = "val") -> dict[str, int]:
    """The windows to learn from: of all series, each by itself (`each`), and of all `together`, as joint models do.

    All those before the part `until`: "val", or "test" where models learn from the validation part, too. `placed` as
    from `Grid.place`, of a target that `refuse_unknown` lets pass.
    """
    known = placed.drop_nulls("y").select("row").sort("row")
    known = known.join_asof(grid.series.select("begin", until), left_on="row", right_on="begin", coalesce=False)
    begin, end, row = (pl.col(name) for name in ("begin", until, "row"))
    start = pl.max_horizontal(begin.first() + input_size, row.min() + 1)  # of the first forecast
    counts = known.group_by("begin").agg((end.first() - horizon + 1 - start).clip(lower_bound=0).alias("windows"))
    return {"each": counts["windows"].sum(), "together": counts["windows"].min()}


def leave_out(ids: list[str]) -> str:
    """The advice to leave series out, as the end of a sentence."""
    return f", or leave these series out: `leave_out: {json.dumps(ids, ensure_ascii=False)}` below `forecasting:`"
