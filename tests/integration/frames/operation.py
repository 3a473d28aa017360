"""What is done to lazy frames of either kind, Polars' and ours: `pipelines` puts several one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from deeprc.frames import LazyFrame, concat

VALUES = ["number", "whole", "text", "truth"]
number, whole, text, row, truth = (pl.col(name) for name in ("number", "whole", "text", "row", "truth"))
KEPT, LOST, MADE = "the order of the rows is kept", "it is left open", "it is made"


@dataclass(frozen=True)
class Operation:
    """What is done to a lazy frame of either kind; its columns stay what they are.

    Parameters
    ----------
    work
        Takes the frame, the names of the keys, and another frame.
    order
        What becomes of the order of the rows.
    asks
        Whether the result depends on the order that they had.
    """

    work: Callable[[Any, list[str], Any], Any]
    order: str = KEPT
    asks: bool = False


def all_rows(frames: Sequence[Any]) -> Any:
    return concat(frames) if isinstance(frames[0], LazyFrame) else pl.concat(frames)


def columns_of(keys: list[str]) -> list[str]:
    return [*keys, *VALUES, "row"]


def grouped(frame: Any, keys: list[str], *aggregates: pl.Expr) -> Any:
    return frame.group_by(keys).agg(*aggregates).select(columns_of(keys))
