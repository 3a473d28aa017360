"""Covariates that a model can learn from: those with a value in the training part, from which the others are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.data import Observations
from deeprc.applications.forecasting.grid import Grid, whom
from deeprc.core.errors import InputError


def learned(found: Observations, grid: Grid, config: DataConfig, path: Path) -> Observations:
    """What was found, without values of covariates that have none in the training part: there is no scale for them.

    In a series whose training part has none the covariate is unknown; where that holds for all series it is left out.
    The notices say which, which covariates begin late, and which are the target itself.

    Raises
    ------
    InputError
        For a covariate without a value in any training part that the configuration names.
    """
    if not found.covariates:
        return found
    series = grid.series.select("id", "begin", "val")
    placed = grid.place(found.frame.select("id", "time", *found.covariates)).sort("row")
    placed = placed.join_asof(series, left_on="row", right_on="begin", coalesce=False)
    known = [pl.when(pl.col(name).is_not_null()).then("row").min().alias(name) for name in found.covariates]
    firsts = placed.group_by("id").agg(*known)
    firsts = series.join(firsts, on="id", how="left", maintain_order="left")
    frame, left, notices = found.frame, [], []
    for name in found.covariates:
        said = repr(name.removeprefix("x:"))
        if found.frame[name].equals(found.frame["y"]):
            notices.append(f"the covariate {said} is the target once more: it tells nothing that the target does not")
        none = firsts.filter(pl.col(name) >= pl.col("val"))
        if none.is_empty():
            late = firsts.filter(pl.col(name) - pl.col("begin") > config.max_gap)
            if len(late):
                notices.append(
                    f"{whom(late['id'].to_list(), len(series))}: the covariate {said} begins late"
                    f" ({_time(grid, late[name][0])}); before that it stands at its mean"
                )
            continue
        if firsts.filter(pl.col(name) < pl.col("val")).is_empty():
            if config.covariates is not None:
                raise InputError(
                    f"the covariate {said} has no value in the training part: nothing can be learned of it",
                    where=path,
                    found=f"its first value at {_time(grid, none[name][0])}, the training part ends at "
                    f"{_time(grid, none['val'][0] - 1)}",
                    fix="leave it out of the key 'covariates', or choose another split",
                )
            left.append(name)
            notices.append(f"the covariate {said} has no value in the training part: it is left out")
            continue
        ids = none["id"].to_list()
        frame = frame.with_columns(pl.when(~pl.col("id").is_in(ids)).then(name).alias(name))
        notices.append(
            f"{whom(ids, len(series))}: the covariate {said} has no value in the training part, and is taken as unknown"
        )
    return replace(
        found, frame=frame.drop(left), covariates=[name for name in found.covariates if name not in left],
        notices=[*found.notices, *notices],
    )  # fmt: skip


def _time(grid: Grid, row: int) -> str:
    return str(grid.stretch(row, row + 1)["ds"][0])
