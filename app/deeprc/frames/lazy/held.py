"""Rows of a frame as the source of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from deeprc.frames.lazy.deal import DEALT, ONE, Deal, Size
from deeprc.frames.lazy.ranks import Ranks
from deeprc.frames.names import no_patterns

if TYPE_CHECKING:
    from deeprc.frames.frame import Frame


@dataclass(frozen=True, eq=False)
class HeldRows:
    """The rows of a frame, which are dealt over the ranks as they are."""

    frame: Frame

    title = "FRAME"

    def __post_init__(self) -> None:
        no_patterns(self.frame.columns)

    def share(self, columns: Sequence[str], ranks: Ranks) -> tuple[pl.LazyFrame, Deal, Size]:
        """This rank's rows; where all of them are, and their size."""
        local = self.frame.local.select(columns)
        size = ranks.measured(local)
        deal = Deal(ONE if ranks.size == 1 else DEALT)
        return (local if ranks.real else local.clear()).lazy(), deal, size
