"""A run without any rows, to be told of it beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.ranks import STREAMING, Ranks
from deeprc.frames.lazy.several import Join


class Outline(Ranks):
    """The same steps without any rows: only their sizes, estimated."""

    real = False

    def computed(self, piece: Piece, schema: pl.Schema, engine: str = STREAMING) -> Piece:
        return self.hold(piece, engine)

    def hold_all(self, pieces: Sequence[Piece], engine: str = STREAMING) -> list[Piece]:
        return [p if p.held is not None else replace(p, held=pl.DataFrame(schema=p.schema)) for p in pieces]

    def moved(self, piece: Piece, exchange: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        return piece.held

    def split(self, left: Piece, right: Piece, node: Join, *at: list[int] | None) -> tuple[Piece, Piece] | None:
        return None

    def before(self, count: int) -> int:
        return 0

    def total(self, count: int) -> int:
        return count
